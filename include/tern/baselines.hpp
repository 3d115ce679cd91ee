#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tern/interactions.hpp"

namespace tern {

// Rankings without training, to be shown beside a model's: a model that cannot beat them has learnt
// nothing. Both return (U, k) item ids row-major, best first, ties by ascending item id, items
// observed with the user in any of `observed` left out, -1 where fewer than k items remain: what
// evaluate_rankings() takes. Users are independent of each other and each is computed in one fixed
// order in f64: the result does not depend on the number of threads.
// Throw ShapeError when k < 1, or when the shapes of the interactions differ.

/// Items by their number of training interactions, the same order for every user.
/// O(I log I + U (k + observed items) log E/U).
std::vector<NodeId> popularity_rankings(const Interactions& train,
                                        std::span<const Interactions* const> observed,
                                        std::int64_t k);

/// The one-hop linear graph filter: scores R̃ R̃ᵀ R̃ with R̃ = D_u^-½ R D_i^-½ (0 for degree 0), that
/// is, what is liked by users who like what the user likes. Never holds the U×I scores: one
/// accumulator over users and one over items a thread.
/// Source: Shen et al. 2021, "How powerful is graph convolution for recommendation?", whose linear
/// filter is R̃ᵀR̃ with the same normalisation, applied here to the rows of R̃.
std::vector<NodeId> graph_filter_rankings(const Interactions& train,
                                          std::span<const Interactions* const> observed,
                                          std::int64_t k);

}  // namespace tern
