#include "host/cli/cold_nodes.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "host/cli/format.hpp"

namespace tern::cli {

std::vector<bool> find_cold(LoadedRun& loaded, Side side) {
  const auto nodes = static_cast<std::size_t>(loaded.names(side).size());
  if (loaded.reads_features_of(side)) return std::vector<bool>(nodes, false);
  std::vector<bool> cold(nodes, true);
  const Interactions& train = loaded.data().train;
  if (side == Side::kItem) {
    for (const NodeId item : train.items()) cold[static_cast<std::size_t>(item)] = false;
    return cold;
  }
  for (NodeId user = 0; user < train.num_users(); ++user) {
    cold[static_cast<std::size_t>(user)] = train.row(user).empty();
  }
  return cold;
}

std::vector<NodeId> without_cold(const std::vector<NodeId>& ids, const std::vector<bool>& cold,
                                 std::string_view what, Console& console) {
  std::vector<NodeId> known;
  known.reserve(ids.size());
  for (const NodeId id : ids) {
    if (!cold[static_cast<std::size_t>(id)]) known.push_back(id);
  }
  if (known.size() < ids.size()) {
    console.line(
        fmt::format("{} without training interactions, left out unless --cold is given: "
                    "{} of {}",
                    what, grouped(static_cast<std::int64_t>(ids.size() - known.size())),
                    grouped(static_cast<std::int64_t>(ids.size()))));
  }
  return known;
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

}  // namespace tern::cli
