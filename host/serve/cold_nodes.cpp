#include "host/serve/cold_nodes.hpp"

#include <algorithm>

namespace tern {

std::vector<bool> find_cold(RankingSource& source, Side side) {
  const auto nodes = static_cast<std::size_t>(source.names(side).size());
  if (source.reads_features_of(side)) return std::vector<bool>(nodes, false);
  std::vector<bool> cold(nodes, true);
  const Interactions& train = source.data().train;
  if (side == Side::kItem) {
    for (const NodeId item : train.items()) cold[static_cast<std::size_t>(item)] = false;
    return cold;
  }
  for (NodeId user = 0; user < train.num_users(); ++user) {
    cold[static_cast<std::size_t>(user)] = train.row(user).empty();
  }
  return cold;
}

Popularity::Popularity(const Interactions& train, std::span<const NodeId> candidates)
    : counts_(static_cast<std::size_t>(train.num_items()), 0.0F),
      order_(candidates.begin(), candidates.end()) {
  std::vector<std::int64_t> counts(counts_.size(), 0);
  for (const NodeId item : train.items()) ++counts[static_cast<std::size_t>(item)];
  std::transform(counts.begin(), counts.end(), counts_.begin(),
                 [](std::int64_t count) { return static_cast<float>(count); });
  std::stable_sort(order_.begin(), order_.end(),
                   [&](NodeId a, NodeId b) { return score(a) > score(b); });
}

RankedList Popularity::best(NodeId user, std::span<const Interactions* const> observed,
                            std::int64_t length) const {
  const auto is_observed = [&](NodeId item) {
    return std::any_of(observed.begin(), observed.end(), [&](const Interactions* rows) {
      const std::span<const NodeId> row = rows->row(user);
      return std::binary_search(row.begin(), row.end(), item);
    });
  };
  RankedList list;
  for (const NodeId item : order_) {
    if (static_cast<std::int64_t>(list.ids.size()) == length) break;
    if (is_observed(item)) continue;
    list.ids.push_back(item);
    list.scores.push_back(score(item));
  }
  return list;
}

}  // namespace tern
