#include "host/report/groups.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <span>

#include "host/support/number_text.hpp"

namespace tern::report {
namespace {

constexpr std::size_t kMaxGroups = 8;

/// The number of groups from degree 1 to this one, whose limits grow by 2^doublings.
std::size_t groups_up_to(std::int64_t degree, int doublings) {
  std::size_t count = 0;
  for (; degree > 0; degree >>= doublings) ++count;
  return count;
}

GroupRecall divide(const std::vector<double>& sums, std::vector<std::int64_t> count) {
  GroupRecall groups{.count = std::move(count)};
  for (std::size_t g = 0; g < sums.size(); ++g) {
    groups.recall.push_back(groups.count[g] > 0 ? sums[g] / static_cast<double>(groups.count[g])
                                                : std::numeric_limits<double>::quiet_NaN());
  }
  return groups;
}

}  // namespace

std::vector<std::int64_t> degrees(const Interactions& train, Side side) {
  std::vector<std::int64_t> counts;
  if (side == Side::kItem) {
    counts.assign(static_cast<std::size_t>(train.num_items()), 0);
    for (const NodeId item : train.items()) ++counts[static_cast<std::size_t>(item)];
    return counts;
  }
  for (NodeId user = 0; user < train.num_users(); ++user) {
    counts.push_back(static_cast<std::int64_t>(train.row(user).size()));
  }
  return counts;
}

Groups group_by_degree(const std::vector<std::int64_t>& degrees) {
  if (degrees.empty()) return {};
  const auto [least, greatest] = std::ranges::minmax(degrees);
  int doublings = 1;
  while (groups_up_to(greatest, doublings) > kMaxGroups) ++doublings;
  Groups groups;
  const std::size_t first = least == 0 ? 1 : 0;  // the group of degree 1
  if (first == 1) groups.names.emplace_back("0");
  std::int64_t low = 1;
  for (std::size_t left = groups_up_to(greatest, doublings); left > 0; --left) {
    const std::int64_t high = (low << doublings) - 1;
    groups.names.push_back(left == 1 && high > low ? grouped(low) + "+"
                           : high == low
                               ? grouped(low)
                               : fmt::format("{}\xE2\x80\x93{}", grouped(low), grouped(high)));
    low <<= doublings;
  }
  groups.sizes.assign(groups.names.size(), 0);
  for (const std::int64_t degree : degrees) {
    const std::size_t group = degree == 0 ? 0 : first + groups_up_to(degree, doublings) - 1;
    groups.of.push_back(group);
    ++groups.sizes[group];
  }
  return groups;
}

GroupRecall recall_of_items(const Contest& contest, const Ranking& ranking, const Groups& items) {
  std::vector<double> hits(items.names.size(), 0.0);
  std::vector<std::int64_t> count(items.names.size(), 0);
  const auto k = static_cast<std::size_t>(contest.k);
  for (std::size_t i = 0; i < contest.users.size(); ++i) {
    const auto list = std::span(ranking.lists).subspan(i * k, k);
    for (const NodeId item : contest.held_out->row(contest.users[i])) {
      const std::size_t group = items.of[static_cast<std::size_t>(item)];
      ++count[group];
      if (std::ranges::find(list, item) != list.end()) hits[group] += 1.0;
    }
  }
  return divide(hits, std::move(count));
}

GroupRecall recall_of_users(const Contest& contest, const Ranking& ranking, const Groups& users) {
  std::vector<double> sums(users.names.size(), 0.0);
  std::vector<std::int64_t> count(users.names.size(), 0);
  const std::size_t columns = user_metrics(contest).size();
  const std::size_t recall = metric_column(contest, fmt::format("recall@{}", contest.k));
  for (std::size_t i = 0; i < contest.users.size(); ++i) {
    const std::size_t group = users.of[static_cast<std::size_t>(contest.users[i])];
    ++count[group];
    sums[group] += ranking.by_user[i * columns + recall];
  }
  return divide(sums, std::move(count));
}

}  // namespace tern::report
