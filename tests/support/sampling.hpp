#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "tern/backend.hpp"

namespace tern::test {

/// Whether some user has an item, but not every item.
inline bool can_sample(const Interactions& interactions) {
  const auto offsets = interactions.offsets();
  for (std::size_t user = 0; user + 1 < offsets.size(); ++user) {
    const EdgeOffset degree = offsets[user + 1] - offsets[user];
    if (degree > 0 && degree < interactions.num_items()) return true;
  }
  return false;
}

/// The triplets of one batch of the epoch.
inline std::vector<Triplet> batch_of(Backend& backend, const Triplets& triplets,
                                     std::int64_t batch) {
  const std::vector<Triplet> all = backend.get_triplets(triplets);
  const std::int64_t begin = batch * triplets.batch_size();
  const std::int64_t end = std::min(begin + triplets.batch_size(), triplets.size());
  return {all.begin() + begin, all.begin() + end};
}

/// The users or items of a batch, with repeats. Pairs have no negative to add.
inline std::vector<NodeId> rows_of(std::span<const Triplet> batch, Side side) {
  std::vector<NodeId> rows;
  for (const Triplet& triplet : batch) {
    if (side == Side::kUser) {
      rows.push_back(triplet.user);
    } else {
      rows.push_back(triplet.positive);
      if (triplet.negative != kNoItem) rows.push_back(triplet.negative);
    }
  }
  return rows;
}

}  // namespace tern::test
