#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/report/contest.hpp"
#include "tern/interactions.hpp"

namespace tern::report {

/// Training interactions of each node of a side.
std::vector<std::int64_t> degrees(const Interactions& train, Side side);

/// Nodes grouped by degree: those of degree 0, if there are any, then groups whose limits grow by one factor, a power of two:
/// 1, 2-3, 4-7, ... or 1-3, 4-15, ... The least factor that gives at most 8 groups besides the first.
struct Groups {
  std::vector<std::string> names;   // "0", "1", "2–3", "4+"
  std::vector<std::size_t> of;      // by node: its group
  std::vector<std::int64_t> sizes;  // by group: its nodes
};
Groups group_by_degree(const std::vector<std::int64_t>& degrees);

/// A share by group, and the number that it is a share of; NaN in an empty group.
struct GroupRecall {
  std::vector<double> recall = {};
  std::vector<std::int64_t> count = {};
};
/// By group of items: the share of its held-out interactions that are within the first k of their users' lists; count: all of
/// its held-out interactions.
GroupRecall recall_of_items(const Contest& contest, const Ranking& ranking, const Groups& items);
/// By group of users: the mean recall at k of its users; count: its users with held-out items.
GroupRecall recall_of_users(const Contest& contest, const Ranking& ranking, const Groups& users);

}  // namespace tern::report
