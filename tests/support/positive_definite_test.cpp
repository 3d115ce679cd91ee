#include "host/support/positive_definite.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "host/support/parallel.hpp"
#include "tern/error.hpp"

namespace tern::test {
namespace {

/// RᵀR + n I with a random R of 0 and 1 in the lower triangle; above it anything.
template <typename Real>
std::vector<Real> planted_matrix(std::int64_t n) {
  std::mt19937 random(static_cast<std::uint32_t>(n));
  std::bernoulli_distribution one(0.05);
  const std::int64_t rows = 200;
  std::vector<int> r(static_cast<std::size_t>(rows * n));
  for (int& value : r) value = one(random) ? 1 : 0;
  std::vector<Real> a(static_cast<std::size_t>(n * n), Real{12345});
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j <= i; ++j) {
      int sum = 0;
      for (std::int64_t row = 0; row < rows; ++row) sum += r[row * n + i] * r[row * n + j];
      a[i * n + j] = static_cast<Real>(sum + (i == j ? 4 : 0));
    }
  }
  return a;
}

/// The greatest element of A P - I, with A from its lower triangle.
template <typename Real>
double residual(const std::vector<Real>& lower, const std::vector<Real>& p, std::int64_t n) {
  double greatest = 0.0;
  for (std::int64_t i = 0; i < n; ++i) {
    std::vector<double> row(static_cast<std::size_t>(n), 0.0);
    for (std::int64_t m = 0; m < n; ++m) {
      const double factor = static_cast<double>(m <= i ? lower[i * n + m] : lower[m * n + i]);
      for (std::int64_t j = 0; j < n; ++j) row[j] += factor * static_cast<double>(p[m * n + j]);
    }
    row[i] -= 1.0;
    for (const double value : row) greatest = std::max(greatest, std::abs(value));
  }
  return greatest;
}

TEST(PositiveDefinite, ByHand) {
  // 1/8 [3 -2; -2 4] is the inverse of [4 2; 2 3]; the element above the diagonal is not read.
  std::vector<double> a{4, -99, 2, 3};
  invert_positive_definite(a.data(), 2, shared_pool());
  const double expected[] = {3.0 / 8, -2.0 / 8, -2.0 / 8, 4.0 / 8};
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(a[i], expected[i], 1e-15) << i;
}

// One tile, exactly one, a rest of one row, three tiles with a rest.
TEST(PositiveDefinite, GivesTheInverseAcrossTiles) {
  for (const std::int64_t n : {1L, 5L, 255L, 256L, 257L, 700L}) {
    const auto a = planted_matrix<double>(n);
    auto p = a;
    invert_positive_definite(p.data(), n, shared_pool());
    EXPECT_LT(residual(a, p, n), 1e-11) << n;
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t j = 0; j < i; ++j) ASSERT_EQ(p[i * n + j], p[j * n + i]) << i << ' ' << j;
    }
    const auto single = planted_matrix<float>(n);
    auto q = single;
    invert_positive_definite(q.data(), n, shared_pool());
    EXPECT_LT(residual(single, q, n), 1e-2) << n;
    for (std::size_t i = 0; i < q.size(); ++i) {
      ASSERT_NEAR(static_cast<double>(q[i]), p[i], 1e-4) << "n " << n << " at " << i;
    }
  }
}

TEST(PositiveDefinite, IsTheSameForEveryNumberOfThreads) {
  const std::int64_t n = 600;
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 2, 5}) {
    const ThreadLimit limit(threads);
    results.push_back(planted_matrix<float>(n));
    invert_positive_definite(results.back().data(), n, shared_pool());
  }
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

TEST(PositiveDefinite, ReportsProgressUpToTheEnd) {
  auto a = planted_matrix<double>(700);
  std::vector<double> shares;
  invert_positive_definite(a.data(), 700, shared_pool(),
                           [&](double share) { shares.push_back(share); });
  ASSERT_FALSE(shares.empty());
  EXPECT_TRUE(std::is_sorted(shares.begin(), shares.end()));
  EXPECT_GT(shares.back(), 0.8);
  EXPECT_LE(shares.back(), 1.0);
}

TEST(PositiveDefinite, RefusesOtherMatrices) {
  std::vector<double> indefinite{1, 0, 2, 1};
  EXPECT_THROW(invert_positive_definite(indefinite.data(), 2, shared_pool()), NumericalFault);
  std::vector<double> zero(9, 0.0);
  EXPECT_THROW(invert_positive_definite(zero.data(), 3, shared_pool()), NumericalFault);
  std::vector<double> unknown{1, 0, std::numeric_limits<double>::quiet_NaN(), 1};
  EXPECT_THROW(invert_positive_definite(unknown.data(), 2, shared_pool()), NumericalFault);
}

}  // namespace
}  // namespace tern::test
