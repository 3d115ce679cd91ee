#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "tern/interactions.hpp"

namespace tern {

// Rankings without training, to compare a model with: a model that cannot beat popularity has learned
// nothing, and EASE and GF-CF beat many trained ones. All return (U, k) item ids for
// evaluate_rankings(): row-major, best first, ties by ascending item id, without the items that the
// user has in any of `observed`, and -1 if fewer than k items remain. Every user is ranked
// independently, in one fixed order in f64, and what is computed first for all users has a fixed
// order too: the result does not depend on the number of threads. U×I scores never exist.
// All throw ShapeError if k < 1, or if the shapes of the interactions differ.

/// Gets a line about the work in progress, on the calling thread, several times a second, also if it is the same;
/// what it throws ends the work. May be empty.
using BaselineProgress = std::function<void(std::string_view)>;

/// Items by their number of training interactions, the same order for every user.
/// O(I log I + U (k + observed items) log E/U).
std::vector<NodeId> popularity_rankings(const Interactions& train,
                                        std::span<const Interactions* const> observed,
                                        std::int64_t k);

/// The linear graph filter of one hop, GF-CF without its low-pass filter: scores R̃ R̃ᵀ R̃ with
/// R̃ = D_u^-½ R D_i^-½ (0 for degree 0), that is, items of users who share items with the user. Each
/// thread has one accumulator over users and 16 over items.
/// Source: Shen et al. 2021, "How powerful is graph convolution for recommendation?", whose linear
/// filter is R̃ᵀR̃ with the same normalisation, applied here to the rows of R̃.
std::vector<NodeId> linear_filter_rankings(const Interactions& train,
                                           std::span<const Interactions* const> observed,
                                           std::int64_t k);

struct GfCfOptions {
  /// Singular vectors of the low-pass filter; fewer if R̃ has a lower rank. The authors' 256.
  int rank = 256;
  /// The weight of the low-pass filter. The authors' 0.3.
  double alpha = 0.3;
  /// The seed of the random vectors from which the singular vectors are computed.
  Seed seed{0};
};

/// GF-CF: scores R R̃ᵀR̃ + α R D_i^-½ V Vᵀ D_i^½, with R̃ as above and V its `rank` leading right
/// singular vectors, which a randomised block method finds in f64 until the values settle (at most 40 rounds). V is kept in
/// f32, and its products are summed in f32.
/// Memory: 8 (rank + 32) (2 I + U) bytes, or 4 U k for long rankings. Throws MemoryError, with the need
/// and what is free, and ConfigError on options out of range.
/// Source: Shen et al. 2021; the weights as in the authors' code (github.com/yshenaw/GF_CF).
std::vector<NodeId> gf_cf_rankings(const Interactions& train,
                                   std::span<const Interactions* const> observed, std::int64_t k,
                                   const GfCfOptions& options = {},
                                   const BaselineProgress& progress = {});

/// EASE takes I² numbers and I³ operations.
inline constexpr NodeId kMaxEaseItems = 60'000;

struct EaseOptions {
  /// λ of the ridge regression, above 0. The paper's are 200, 500 and 1000, on data sets with hundreds
  /// of interactions an item; the default is the smallest. Sparse data may want less: see
  /// host/train/README.md.
  double l2 = 200.0;
};

/// EASE: scores R B with the item weights B that minimise ‖R - R B‖² + λ ‖B‖² under diag(B) = 0:
///   P = (RᵀR + λ I)⁻¹,  B_ij = -P_ij / P_jj for i ≠ j, 0 for i = j.
/// Up to 8,192 items in f64, else in f32. The error of P is about eps · κ, with κ at most 1 + (the
/// greatest row sum of RᵀR) / λ; a usual κ of 10² to 10⁴ costs f32 digits that move no ranking, and f64
/// would take twice the memory, which is what limits EASE, and twice the time. B is kept in f32.
/// Memory: 4 I² bytes (12 I² up to 8,192 items), and 4 U k for the rankings. I³ flops.
/// Throws ConfigError on λ out of range or more than kMaxEaseItems items, MemoryError with the need and
/// what is free, NumericalFault if λ is too small for the precision.
/// Source: Steck 2019, "Embarrassingly shallow autoencoders for sparse data".
std::vector<NodeId> ease_rankings(const Interactions& train,
                                  std::span<const Interactions* const> observed, std::int64_t k,
                                  const EaseOptions& options = {},
                                  const BaselineProgress& progress = {});

}  // namespace tern
