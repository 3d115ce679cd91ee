#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "host/serve/ranking_source.hpp"
#include "tern/interactions.hpp"

namespace tern {

/// By node of one side: whether nothing is known of it. Such a node has no training interaction, and
/// the model does not read features of its side: its embedding is as random as when training began.
std::vector<bool> find_cold(RankingSource& source, Side side);

/// Items by their number of training interactions, for users of whom nothing is known.
class Popularity {
 public:
  /// candidates: ascending ids of the items to rank.
  Popularity(const Interactions& train, std::span<const NodeId> candidates);

  /// The score of an item: its number of training interactions.
  float score(NodeId item) const { return counts_[static_cast<std::size_t>(item)]; }
  /// The `length` best candidates, ties by ascending id, without those that the user has in one of
  /// `observed`.
  RankedList best(NodeId user, std::span<const Interactions* const> observed,
                  std::int64_t length) const;

 private:
  std::vector<float> counts_;  // by item; whole numbers, f32 as all scores are
  std::vector<NodeId> order_;  // the candidates, best first
};

}  // namespace tern
