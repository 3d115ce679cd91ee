#pragma once

#include <cstdint>

#include "tern/types.hpp"

namespace tern {

/// How the positive pair of a triplet is chosen.
enum class PositiveSampling : std::uint8_t {
  /// Each training interaction once an epoch, in a seeded permutation.
  kInteraction,
  /// A uniform user with at least one positive, then a uniform positive of that user
  /// (He et al. 2020; what LightGCN-PyTorch does). As many draws an epoch as interactions.
  kUser,
};

/// How the negative item of a triplet is chosen. Never an observed item of the user.
enum class NegativeSampling : std::uint8_t {
  /// Exactly uniform over the items that the user has not interacted with; no rejection.
  kUniform,
  /// Proportional to degree^popularity_exponent among these items: a bounded number of tries by an
  /// alias table, then uniform.
  kPopularity,
};

struct SamplingOptions {
  PositiveSampling positives = PositiveSampling::kUser;
  NegativeSampling negatives = NegativeSampling::kUniform;
  /// Only for kPopularity; 0 weighs all items with an interaction alike, 1 weighs by degree.
  double popularity_exponent = 0.75;
  /// Tries by popularity before a negative is drawn uniformly.
  int popularity_tries = 16;
  /// Triplets for each positive pair, each with its own negative: for BPR terms of their own, for
  /// losses over sampled negatives one term together. With 0 they are pairs: one triplet for each
  /// positive pair, without a negative, for losses that find their negatives in the batch.
  int negatives_per_positive = 1;
  Seed seed{};

  TERN_HD constexpr bool has_negatives() const { return negatives_per_positive > 0; }
  TERN_HD constexpr int triplets_per_positive() const {
    return has_negatives() ? negatives_per_positive : 1;
  }
  TERN_HD constexpr int items_per_triplet() const { return has_negatives() ? 2 : 1; }
};

/// How many users take part in sampling: those with 1 <= degree < I.
struct SamplingCounts {
  std::int64_t users = 0;
  std::int64_t users_without_interactions = 0;
  std::int64_t users_with_every_item = 0;
  /// Interactions of the users that take part; triplets an epoch =
  /// this × max(1, negatives_per_positive).
  std::int64_t interactions = 0;
};

}  // namespace tern
