#include "host/support/symmetric_eigen.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "tern/error.hpp"

namespace tern::test {
namespace {

/// A = Σ values v vᵀ, orthonormal vectors, descending values.
void expect_eigen(const std::vector<double>& a, std::int64_t n) {
  const SymmetricEigen found = symmetric_eigen(a, n);
  ASSERT_EQ(found.values.size(), static_cast<std::size_t>(n));
  EXPECT_TRUE(std::is_sorted(found.values.rbegin(), found.values.rend()));
  double scale = 1e-300;
  for (const double value : a) scale = std::max(scale, std::abs(value));
  const double bound = 1e-13 * static_cast<double>(n) * scale;
  const auto v = [&](std::int64_t j, std::int64_t i) { return found.vectors[j * n + i]; };
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t k = 0; k <= i; ++k) {
      double sum = 0.0, product = 0.0;
      for (std::int64_t j = 0; j < n; ++j) {
        sum += found.values[j] * v(j, i) * v(j, k);
        product += v(i, j) * v(k, j);
      }
      ASSERT_NEAR(sum, a[i * n + k], bound) << "n " << n << " at " << i << ' ' << k;
      ASSERT_NEAR(product, i == k ? 1.0 : 0.0, 1e-13 * static_cast<double>(n));
    }
  }
}

TEST(SymmetricEigen, ByHand) {
  // [2 1; 1 2]: 3 along (1, 1), 1 along (1, -1).
  const SymmetricEigen found = symmetric_eigen({2, 77, 1, 2}, 2);
  EXPECT_NEAR(found.values[0], 3.0, 1e-15);
  EXPECT_NEAR(found.values[1], 1.0, 1e-15);
  EXPECT_NEAR(std::abs(found.vectors[0]), std::sqrt(0.5), 1e-15);
  EXPECT_NEAR(found.vectors[0], found.vectors[1], 1e-15);
  EXPECT_NEAR(found.vectors[2], -found.vectors[3], 1e-15);
  EXPECT_TRUE(symmetric_eigen({}, 0).values.empty());
}

TEST(SymmetricEigen, RebuildsRandomMatrices) {
  for (const std::int64_t n : {1, 2, 3, 4, 10, 57, 120}) {
    std::mt19937 random(static_cast<std::uint32_t>(n));
    std::normal_distribution<double> normal;
    std::vector<double> a(static_cast<std::size_t>(n * n));
    for (double& value : a) value = normal(random);
    expect_eigen(a, n);
  }
}

TEST(SymmetricEigen, RebuildsMatricesWithEqualAndZeroValues) {
  const std::int64_t n = 12;
  std::vector<double> identity(n * n, 0.0), ones(n * n, 1.0), blocks(n * n, 0.0);
  for (std::int64_t i = 0; i < n; ++i) {
    identity[i * n + i] = 1.0;
    for (std::int64_t j = 0; j < n; ++j) blocks[i * n + j] = i / 4 == j / 4 ? 1.0 : 0.0;
  }
  expect_eigen(identity, n);
  expect_eigen(ones, n);
  expect_eigen(blocks, n);
  expect_eigen(std::vector<double>(n * n, 0.0), n);
  // Values over twenty orders of magnitude.
  std::vector<double> graded(n * n, 0.0);
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < n; ++j) graded[i * n + j] = std::pow(10.0, -double(i + j));
  }
  expect_eigen(graded, n);
}

TEST(SymmetricEigen, RefusesNumbersThatAreNotFinite) {
  const double unknown = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(symmetric_eigen({1, 0, unknown, 1}, 2), NumericalFault);
}

}  // namespace
}  // namespace tern::test
