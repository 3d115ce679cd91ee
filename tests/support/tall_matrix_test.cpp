#include "host/support/tall_matrix.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "host/support/blas_memory.hpp"
#include "host/support/parallel.hpp"

namespace tern::test {
namespace {

TallMatrix random_tall(std::int64_t rows, std::int64_t cols) {
  std::mt19937 random(7);
  std::normal_distribution<double> normal;
  TallMatrix a(rows, cols);
  for (double& value : a.values) value = normal(random);
  return a;
}

void expect_orthonormal(const TallMatrix& a) {
  for (std::int64_t i = 0; i < a.cols; ++i) {
    for (std::int64_t j = 0; j <= i; ++j) {
      double sum = 0.0;
      for (std::int64_t r = 0; r < a.rows; ++r) sum += a.row(r)[i] * a.row(r)[j];
      ASSERT_NEAR(sum, i == j ? 1.0 : 0.0, 1e-13) << i << ' ' << j;
    }
  }
}

class TallMatrices : public testing::Test {
 protected:
  void SetUp() override { prepare_blas(shared_pool()); }
};

TEST_F(TallMatrices, GramAndProductEqualPlainSums) {
  // More rows than fit the 16 parts evenly.
  const TallMatrix a = random_tall(9001, 5);
  const std::vector<double> squares = gram(a, shared_pool());
  for (std::int64_t i = 0; i < 5; ++i) {
    for (std::int64_t j = 0; j < 5; ++j) {
      double sum = 0.0;
      for (std::int64_t r = 0; r < a.rows; ++r) sum += a.row(r)[i] * a.row(r)[j];
      EXPECT_NEAR(squares[i * 5 + j], sum, 1e-9);
    }
  }
  TallMatrix b = a;
  multiply_right(b, {1, 0, 0, 2, 0, 0, 0, 3, -1, 0}, 2, shared_pool());
  ASSERT_EQ(b.cols, 2);
  for (const std::int64_t r : {0L, 511L, 512L, 9000L}) {
    EXPECT_NEAR(b.row(r)[0], a.row(r)[0] - a.row(r)[4], 1e-14);
    EXPECT_NEAR(b.row(r)[1], 2 * a.row(r)[1] + 3 * a.row(r)[3], 1e-14);
  }
}

TEST_F(TallMatrices, BecomeOrthonormalInOrder) {
  TallMatrix a = random_tall(2000, 30);
  const TallMatrix before = a;
  orthonormalize(a, shared_pool());
  ASSERT_EQ(a.cols, 30);
  expect_orthonormal(a);
  // The first column keeps its direction.
  const double scale = a.row(0)[0] / before.row(0)[0];
  for (std::int64_t r = 0; r < a.rows; ++r) {
    ASSERT_NEAR(a.row(r)[0], scale * before.row(r)[0], 1e-13);
  }
}

// Columns of very different sizes that nearly agree: one pass would leave 1e-8.
TEST_F(TallMatrices, BecomeOrthonormalIfTheyAreNearlyAlike) {
  TallMatrix a = random_tall(1000, 6);
  for (std::int64_t r = 0; r < a.rows; ++r) {
    for (std::int64_t j = 1; j < 6; ++j) {
      a.row(r)[j] = std::pow(10.0, 3.0 * double(j)) * (a.row(r)[0] + 1e-5 * a.row(r)[j]);
    }
  }
  orthonormalize(a, shared_pool());
  ASSERT_EQ(a.cols, 6);
  expect_orthonormal(a);
}

TEST_F(TallMatrices, LeaveOutDependentColumns) {
  TallMatrix a = random_tall(300, 6);
  for (std::int64_t r = 0; r < a.rows; ++r) {
    a.row(r)[1] = 0.0;
    a.row(r)[3] = 2.0 * a.row(r)[0] - a.row(r)[2];
  }
  orthonormalize(a, shared_pool());
  EXPECT_EQ(a.cols, 4);
  expect_orthonormal(a);
  // Forty columns of rank 5: what rounding leaves of the others must not count as directions.
  TallMatrix mixed = random_tall(500, 5);
  const TallMatrix mix = random_tall(5, 40);
  multiply_right(mixed, mix.values, 40, shared_pool());
  orthonormalize(mixed, shared_pool());
  EXPECT_EQ(mixed.cols, 5);
  expect_orthonormal(mixed);
  TallMatrix zero(10, 3);
  orthonormalize(zero, shared_pool());
  EXPECT_EQ(zero.cols, 0);
}

}  // namespace
}  // namespace tern::test
