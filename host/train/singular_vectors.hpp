#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "tern/interactions.hpp"

namespace tern {

/// The greatest singular values of R̃ = D_u^-½ R D_i^-½, and its right singular vectors.
struct SingularVectors {
  std::int64_t rank = 0;
  std::vector<double> values;  // descending
  std::vector<double> items;   // (I, rank) row-major
  int rounds = 0;
  bool settled = false;
};

struct SingularOptions {
  /// At most this many; fewer if R̃ has fewer that are not zero.
  int rank = 256;
  Seed seed{0};
  /// The values have settled if none changes by more than this share of the greatest one. A value's
  /// error is about the square of its vector's.
  double tolerance = 1e-8;
  int max_rounds = 40;
};

/// By a seeded block of rank + 32 random vectors, which rounds of power steps turn towards the
/// leading vectors, until the values settle (Halko et al. 2011, algorithm 4.4). Power steps are those
/// of a Chebyshev polynomial of R̃ᵀR̃ that is small on the values below the block's (Zhou et al.
/// 2006): the singular values of interactions fall slowly, and plain powers would take hundreds of
/// steps. Rayleigh-Ritz in each round.
///
/// by_user: R, by_item: Rᵀ; scales: 1/sqrt(degree), 0 for degree 0.
/// f64, with sums in a fixed order: the same bits for any number of threads. Of a group of equal
/// values that the rank cuts, which vectors are kept depends on the seed.
/// on_round, if there is one, gets the number of the round under way, from 1, before each of its products: what it
/// throws ends the work.
/// Sources: Halko, Martinsson, Tropp 2011, "Finding structure with randomness"; Zhou, Saad, Tiago,
/// Chelikowsky 2006, "Self-consistent-field calculations using Chebyshev-filtered subspace iteration".
SingularVectors singular_vectors(const Interactions& by_user, const Interactions& by_item,
                                 std::span<const double> user_scales,
                                 std::span<const double> item_scales,
                                 const SingularOptions& options,
                                 const std::function<void(int)>& on_round = {});

/// Bytes that this takes at its peak, besides its arguments.
std::int64_t singular_vectors_bytes(std::int64_t users, std::int64_t items, int rank);

}  // namespace tern
