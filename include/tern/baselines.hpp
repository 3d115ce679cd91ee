#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tern/interactions.hpp"

namespace tern {

// Rankings without training, to compare a model with: a model that cannot beat them has learned
// nothing. Both return (U, k) item ids for evaluate_rankings(): row-major, best first, ties by
// ascending item id, without the items that the user has in any of `observed`, and -1 if fewer than
// k items remain. Each user is computed independently, in one fixed order in f64: the result does
// not depend on the number of threads.
// Both throw ShapeError if k < 1, or if the shapes of the interactions differ.

/// Items by their number of training interactions, the same order for every user.
/// O(I log I + U (k + observed items) log E/U).
std::vector<NodeId> popularity_rankings(const Interactions& train,
                                        std::span<const Interactions* const> observed,
                                        std::int64_t k);

/// The one-hop linear graph filter: scores R̃ R̃ᵀ R̃ with R̃ = D_u^-½ R D_i^-½ (0 for degree 0),
/// that is, items of users who share items with the user. Never holds the U×I scores: each thread
/// has one accumulator over users and one over items.
/// Source: Shen et al. 2021, "How powerful is graph convolution for recommendation?", whose linear
/// filter is R̃ᵀR̃ with the same normalisation, applied here to the rows of R̃.
std::vector<NodeId> graph_filter_rankings(const Interactions& train,
                                          std::span<const Interactions* const> observed,
                                          std::int64_t k);

}  // namespace tern
