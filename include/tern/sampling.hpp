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
  /// Exactly uniform over the items that the user was not observed with; no rejection.
  kUniform,
  /// Proportional to degree^popularity_exponent among the unobserved: bounded tries from an alias
  /// table, then the uniform law.
  kPopularity,
};

struct SamplingOptions {
  PositiveSampling positives = PositiveSampling::kUser;
  NegativeSampling negatives = NegativeSampling::kUniform;
  /// Only for kPopularity; 0 weighs all items alike that have an interaction, 1 weighs by degree.
  double popularity_exponent = 0.75;
  /// Draws from the popularity law before the uniform law takes over.
  int popularity_tries = 16;
  /// Triplets made of each positive pair, each with a negative of its own.
  int negatives_per_positive = 1;
  Seed seed{};
};

/// Who takes part in sampling. A user takes part with 1 <= degree < I; the others are left out.
struct SamplingCounts {
  std::int64_t users = 0;
  std::int64_t users_without_interactions = 0;
  std::int64_t users_with_every_item = 0;
  /// Interactions of the users that take part; triplets an epoch = this × negatives_per_positive.
  std::int64_t interactions = 0;
};

}  // namespace tern
