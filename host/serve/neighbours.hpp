#pragma once

#include <cstdint>
#include <vector>

#include "host/serve/ranking_source.hpp"

namespace tern {

/// For each of the nodes, the `length` candidates (ascending ids) that are most similar to it, without
/// itself, best first, ties by ascending id: by the cosine of their final embeddings, 0 if one of them is
/// zero. With a model without embeddings, which can rank items alone: by the score of the candidate for a
/// user who has the item alone.
std::vector<RankedList> rank_neighbours(RankingSource& source, Side side,
                                        const std::vector<NodeId>& queries,
                                        std::vector<NodeId> candidates, std::int64_t length);

}  // namespace tern
