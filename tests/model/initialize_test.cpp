#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>

#include "host/model/embedding_tables.hpp"
#include "tern/device.hpp"
#include "tern/random.hpp"
#include "tests/model/model_fixture.hpp"

namespace tern::test {
namespace {

std::vector<double> normal_values(std::int64_t rows, std::int64_t cols, double deviation, Seed seed,
                                  std::uint32_t tensor) {
  const auto backend = make_reference_backend();
  Matrix matrix = backend->allocate(rows, cols);
  initialize_normal(*backend, matrix, deviation, seed, tensor);
  return values_of(*backend, matrix);
}

TEST(InitializeNormal, FollowsBoxMullerOnTheNamedStream) {
  const std::vector<double> values = normal_values(3, 3, 0.5, Seed{42}, 1);  // 9: a short block
  for (std::size_t pair = 0; pair < 5; ++pair) {
    RandomStream stream(Seed{42}, Purpose::kInitialize, 1, pair / 2);
    for (std::size_t skipped = 0; skipped < 2 * (pair % 2); ++skipped) stream.next();
    const double first = stream.uniform();
    const double second = stream.uniform();
    const double radius = 0.5 * std::sqrt(-2.0 * std::log(first));
    const double angle = 2.0 * std::acos(-1.0) * second;
    EXPECT_NEAR(values[2 * pair], radius * std::cos(angle), 1e-7);  // rounded to f32
    if (2 * pair + 1 < values.size()) {
      EXPECT_NEAR(values[2 * pair + 1], radius * std::sin(angle), 1e-7);
    }
  }
}

TEST(InitializeNormal, HasTheMomentsOfTheNormalLaw) {
  const std::vector<double> values = normal_values(1000, 100, 0.1, Seed{1}, 0);
  double mean = 0.0;
  double second = 0.0;
  double fourth = 0.0;
  double neighbours = 0.0;
  double beyond = 0.0;
  const auto n = static_cast<double>(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double z = values[i] / 0.1;
    mean += z / n;
    second += z * z / n;
    fourth += z * z * z * z / n;
    if (i > 0) neighbours += z * values[i - 1] / 0.1 / n;
    if (std::abs(z) > 1.959964) beyond += 1.0 / n;
  }
  // Each within 4.5 standard deviations of its sampling law at n = 100,000.
  EXPECT_NEAR(mean, 0.0, 4.5 / std::sqrt(n));
  EXPECT_NEAR(second, 1.0, 4.5 * std::sqrt(2.0 / n));
  EXPECT_NEAR(fourth, 3.0, 4.5 * std::sqrt(96.0 / n));
  EXPECT_NEAR(neighbours, 0.0, 4.5 / std::sqrt(n));
  EXPECT_NEAR(beyond, 0.05, 4.5 * std::sqrt(0.05 * 0.95 / n));
}

TEST(InitializeNormal, DependsOnSeedAndTensorOnly) {
  const std::vector<double> values = normal_values(50, 7, 0.1, Seed{1}, 0);
  EXPECT_NE(normal_values(50, 7, 0.1, Seed{2}, 0), values);
  EXPECT_NE(normal_values(50, 7, 0.1, Seed{1}, 1), values);
  EXPECT_NE(normal_values(50, 7, 0.1, Seed{1ull << 40 | 1}, 0), values);
  const int threads = omp_get_max_threads();
  for (const int count : {1, 2, 3}) {
    omp_set_num_threads(count);
    EXPECT_EQ(normal_values(50, 7, 0.1, Seed{1}, 0), values) << count;
  }
  omp_set_num_threads(threads);
}

TEST(InitializeNormal, GivesEveryBackendTheSameNumbers) {
  const auto backend = make_cpu_backend(2);
  Matrix matrix = backend->allocate(50, 7);
  initialize_normal(*backend, matrix, 0.1, Seed{1}, 0);
  EXPECT_EQ(values_of(*backend, matrix), normal_values(50, 7, 0.1, Seed{1}, 0));
}

TEST(InitializeNormal, AcceptsZeroDeviationAndNoRows) {
  EXPECT_EQ(normal_values(2, 3, 0.0, Seed{1}, 0), std::vector<double>(6, 0.0));
  EXPECT_TRUE(normal_values(0, 3, 0.1, Seed{1}, 0).empty());
}

}  // namespace
}  // namespace tern::test
