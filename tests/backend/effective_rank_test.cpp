#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "tern/error.hpp"
#include "tern/statistics.hpp"
#include "tests/support/matrices.hpp"

namespace tern::test {
namespace {

/// exp(entropy) of given singular values.
double rank_of(const Values& singular) {
  double total = 0;
  for (const double value : singular) total += value;
  double entropy = 0;
  for (const double value : singular) {
    if (value > 0) entropy -= value / total * std::log(value / total);
  }
  return std::exp(entropy);
}

/// Q diag(σ²) Qᵀ for an orthogonal Q, a product of random reflections I - 2 v vᵀ / vᵀv.
Values gram_with(const Values& singular, std::uint64_t seed) {
  const std::size_t n = singular.size();
  Values gram(n * n, 0);
  for (std::size_t i = 0; i < n; ++i) gram[i * n + i] = singular[i] * singular[i];
  for (std::uint64_t reflection = 0; reflection < 3; ++reflection) {
    const Values v = random_values(static_cast<std::int64_t>(n), seed + reflection);
    double squares = 0;
    for (const double x : v) squares += x * x;
    for (const bool rows : {true, false}) {
      for (std::size_t i = 0; i < n; ++i) {
        const auto at = [&](std::size_t j) -> double& {
          return rows ? gram[j * n + i] : gram[i * n + j];
        };
        double dot = 0;
        for (std::size_t j = 0; j < n; ++j) dot += v[j] * at(j);
        for (std::size_t j = 0; j < n; ++j) at(j) -= 2 * dot / squares * v[j];
      }
    }
  }
  return gram;
}

TEST(EffectiveRank, MatchesHandComputation) {
  EXPECT_NEAR(effective_rank(Values{4}, 1), 1, 1e-12);
  EXPECT_NEAR(effective_rank(Values{4, 0, 0, 4}, 2), 2, 1e-12);
  EXPECT_NEAR(effective_rank(Values{9, 0, 0, 1}, 2), rank_of({3, 1}), 1e-12);
  // [[2, 1], [1, 2]] has the eigenvalues 3 and 1.
  EXPECT_NEAR(effective_rank(Values{2, 1, 1, 2}, 2), rank_of({std::sqrt(3.0), 1}), 1e-12);
  EXPECT_NEAR(effective_rank(Values{1, 1, 1, 1}, 2), 1, 1e-6);  // σ = √2, and 0 up to √eps
}

TEST(EffectiveRank, FindsTheSingularValuesOfRotatedMatrices) {
  for (const std::size_t n : {2, 3, 5, 16, 33, 64, 128}) {
    Values singular = absolute(random_values(static_cast<std::int64_t>(n), n));
    for (double& value : singular) value += 0.01;
    EXPECT_NEAR(effective_rank(gram_with(singular, 1), static_cast<std::int64_t>(n)),
                rank_of(singular), 1e-9 * static_cast<double>(n))
        << n;
    std::fill(singular.begin() + static_cast<std::int64_t>(n) / 2, singular.end(),
              1.0);  // repeated
    EXPECT_NEAR(effective_rank(gram_with(singular, 2), static_cast<std::int64_t>(n)),
                rank_of(singular), 1e-9 * static_cast<double>(n))
        << n;
  }
}

TEST(EffectiveRank, SeesLowRank) {
  Values singular(40, 0.0);
  singular[3] = singular[20] = singular[39] = 2;
  EXPECT_NEAR(effective_rank(gram_with(singular, 5), 40), 3, 1e-4);
}

TEST(EffectiveRank, DoesNotDependOnScale) {
  const Values singular{3, 2, 1, 0.5};
  for (const double scale : {1e-140, 1e-10, 1e10, 1e140}) {
    Values gram = gram_with(singular, 7);
    for (double& value : gram) value *= scale;
    EXPECT_NEAR(effective_rank(gram, 4), rank_of(singular), 1e-9) << scale;
  }
}

TEST(EffectiveRank, SurvivesEveryInput) {
  EXPECT_EQ(effective_rank(Values{}, 0), 0);
  EXPECT_EQ(effective_rank(Values(9, 0.0), 3), 0);
  EXPECT_TRUE(std::isnan(effective_rank(Values{1, 0, 0, std::nan("")}, 2)));
  EXPECT_TRUE(
      std::isnan(effective_rank(Values{1, 0, 0, std::numeric_limits<double>::infinity()}, 2)));
  // Tiny elements beside large ones must not spoil the reflections.
  const Values graded{1, 1e-160, 1e-161, 1e-160, 1, 1e-162, 1e-161, 1e-162, 1};
  EXPECT_NEAR(effective_rank(graded, 3), 3, 1e-12);
  EXPECT_THROW(effective_rank(Values(5), 2), ShapeError);
  EXPECT_THROW(effective_rank(Values(5), -1), ShapeError);
}

}  // namespace
}  // namespace tern::test
