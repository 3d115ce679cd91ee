#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "host/serve/ranking_source.hpp"
#include "tern/recommender.hpp"
#include "tern/types.hpp"

namespace tern {

/// A pair's score, if it has one, and where it comes from: "model", "popularity" or "cold".
struct PairScore {
  std::optional<float> value;
  std::string_view source;
};

/// The scores of pairs of nodes, as rankings list them: the model's; for a user of whom nothing is known
/// the popularity of the item; for an item of which nothing is known none, unless cold nodes are listed.
std::vector<PairScore> pair_scores(RankingSource& source, std::span<const Interaction> pairs,
                                   ColdNodes cold);

}  // namespace tern
