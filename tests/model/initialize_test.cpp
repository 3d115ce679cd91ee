#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>

#include "host/model/embedding_tables.hpp"
#include "host/support/parallel.hpp"
#include "tern/device.hpp"
#include "tern/random.hpp"
#include "tests/model/gcmc_fixture.hpp"

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
  for (const int count : {1, 2, 3}) {
    const ThreadLimit limit(count);
    EXPECT_EQ(normal_values(50, 7, 0.1, Seed{1}, 0), values) << count;
  }
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

std::vector<double> uniform_values(std::int64_t rows, std::int64_t cols, double bound, Seed seed,
                                   std::uint32_t tensor) {
  const auto backend = make_reference_backend();
  Matrix matrix = backend->allocate(rows, cols);
  initialize_uniform(*backend, matrix, bound, seed, tensor);
  return values_of(*backend, matrix);
}

TEST(InitializeUniform, IsAWordAnElementOfTheNamedStream) {
  const std::vector<double> values = uniform_values(3, 3, 0.5, Seed{42}, 5);  // 9: a short block
  for (std::size_t i = 0; i < values.size(); ++i) {
    RandomStream stream(Seed{42}, Purpose::kInitialize, 5, i / 4);
    for (std::size_t skipped = 0; skipped < i % 4; ++skipped) stream.next();
    const double share = (static_cast<double>(stream.next()) + 1.0) / 0x1p32;
    EXPECT_EQ(values[i], static_cast<float>(share - 0.5)) << i;
  }
}

TEST(InitializeUniform, HasTheMomentsOfTheUniformLaw) {
  const std::vector<double> values = uniform_values(1000, 100, 0.25, Seed{1}, 0);
  const auto n = static_cast<double>(values.size());
  double mean = 0.0;
  double second = 0.0;
  double neighbours = 0.0;
  double outer = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double x = values[i] / 0.25;
    ASSERT_LE(std::abs(x), 1.0);
    mean += x / n;
    second += x * x / n;
    if (i > 0) neighbours += x * values[i - 1] / 0.25 / n;
    if (std::abs(x) > 0.9) outer += 1.0 / n;
  }
  // Each within 4.5 standard deviations of its sampling law at n = 100,000: x has the variance 1/3,
  // x² has 1/5 - 1/9.
  EXPECT_NEAR(mean, 0.0, 4.5 * std::sqrt(1.0 / 3.0 / n));
  EXPECT_NEAR(second, 1.0 / 3.0, 4.5 * std::sqrt(4.0 / 45.0 / n));
  EXPECT_NEAR(neighbours, 0.0, 4.5 * std::sqrt(1.0 / 9.0 / n));
  EXPECT_NEAR(outer, 0.1, 4.5 * std::sqrt(0.1 * 0.9 / n));
}

TEST(InitializeUniform, DependsOnSeedAndTensorAlone) {
  const std::vector<double> values = uniform_values(50, 7, 0.1, Seed{1}, 0);
  EXPECT_NE(uniform_values(50, 7, 0.1, Seed{2}, 0), values);
  EXPECT_NE(uniform_values(50, 7, 0.1, Seed{1}, 1), values);
  for (const int count : {1, 2, 3}) {
    const ThreadLimit limit(count);
    EXPECT_EQ(uniform_values(50, 7, 0.1, Seed{1}, 0), values) << count;
  }
  const auto backend = make_cpu_backend(2);
  Matrix matrix = backend->allocate(50, 7);
  initialize_uniform(*backend, matrix, 0.1, Seed{1}, 0);
  EXPECT_EQ(values_of(*backend, matrix), values);
}

/// Initial parameters of a GC-MC encoder, by name.
std::map<std::string, std::vector<double>> start_of_gcmc(const GcMcCase& c, Seed seed) {
  GcMcFixture g(make_reference_backend(), c);
  g.f.model->initialize(seed);
  std::map<std::string, std::vector<double>> start;
  for (const auto& [name, matrix] : g.state()) start[name] = values_of(*g.f.backend, *matrix);
  return start;
}

TEST(InitializeGcMc, StartsWeightsAndBiasesAsLinearLayersOfAllTheirInputs) {
  GcMcCase c{"both", 14, 11, 40, {3, 6}, {2, 5}, InputKind::kBoth, {40}};
  c.width = 30;
  const auto start = start_of_gcmc(c, Seed{9});
  std::set<std::vector<double>> distinct;
  int weights = 0;
  for (const auto& [name, values] : start) {
    if (name.ends_with("_scale") || name.ends_with("_variance")) {
      EXPECT_EQ(values, std::vector<double>(values.size(), 1.0)) << name;
    } else if (name.ends_with("_shift") || name.ends_with("_mean")) {
      EXPECT_EQ(values, std::vector<double>(values.size(), 0.0)) << name;
    } else if (name.ends_with("_embedding")) {
      distinct.insert({values.begin(), values.begin() + 4});
      ++weights;
    } else {
      // The inputs of layer 1 have 3 + 6 + 30 columns for users, 2 + 5 + 30 for items.
      const bool of_users = (name[0] == 'u') != (name.find("message") != std::string::npos);
      const double inputs = name.find("layer2_mix") != std::string::npos ? 30
                            : name.find("mix") != std::string::npos      ? 40
                            : name.find("layer2") != std::string::npos   ? 40
                            : of_users                                   ? 39
                                                                         : 37;
      const double bound = 1.0 / std::sqrt(inputs);
      double largest = 0.0;
      for (const double value : values) largest = std::max(largest, std::abs(value));
      EXPECT_LE(largest, bound * (1 + 1e-7)) << name;
      EXPECT_GE(largest, 0.85 * bound) << name;  // of 30 draws or more
      std::vector<double> first(values.begin(), values.begin() + 4);
      for (double& value : first)
        value = std::round(value / bound * 1e6);  // independent of the bound
      distinct.insert(first);
      ++weights;
    }
  }
  EXPECT_EQ(distinct.size(), static_cast<std::size_t>(weights));  // each has its own stream
  EXPECT_EQ(start_of_gcmc(c, Seed{9}), start);
  EXPECT_NE(start_of_gcmc(c, Seed{10}).at("user_layer2_mix_weight"),
            start.at("user_layer2_mix_weight"));
}

}  // namespace
}  // namespace tern::test
