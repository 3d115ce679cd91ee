#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "tern/error.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/contrasts.hpp"
#include "tests/support/matrices.hpp"
#include "tests/support/pairs.hpp"

// sampled_contrast with thresholds, by which pairs are weighted.
namespace tern::test {
namespace {

/// β by user, and τ_w.
struct ContrastThresholds {
  Values values;
  double temperature = 1.0;
};

std::vector<ContrastOutputs> run_weighted_contrast(Backend& backend, const ContrastProblem& problem,
                                                   SampledContrastOptions options,
                                                   const ContrastThresholds& thresholds) {
  const Matrix beta = make_matrix(backend, 1, std::ssize(thresholds.values), thresholds.values);
  options.pair_weight = {.thresholds = &beta, .temperature = thresholds.temperature};
  return run_contrast(backend, problem, options);
}

class SampledContrastWeight : public BackendTest {
 protected:
  void check(const ContrastProblem& problem, const SampledContrastOptions& options,
             double temperature) {
    SCOPED_TRACE("pairs " + std::to_string(problem.graph.size()) + ", M " +
                 std::to_string(problem.negatives) + ", D " + std::to_string(problem.width) +
                 ", weight temperature " + std::to_string(temperature));
    const ContrastThresholds thresholds{random_values(problem.graph.num_users(), 9), temperature};
    const auto results = [&](Backend& backend) {
      std::vector<Values> all;
      for (ContrastOutputs& out : run_weighted_contrast(backend, problem, options, thresholds)) {
        all.push_back(std::move(out.grad_users));
        all.push_back(std::move(out.grad_items));
        all.push_back(std::move(out.losses));
      }
      return all;
    };
    const double terms = summation_factor(static_cast<double>(problem.batch));
    const double bound = 2 * terms * (1 / options.temperature + 1 / temperature) * epsilon();
    EXPECT_TRUE(same_results(results(backend_), results(reference_), bound));
  }
};

/// The pairs (0, 0) and (1, 1), each with s⁺ = 0 and the negatives 2 and 3 of s = 1 and 0, rows on the
/// axes.
ContrastProblem crossed_contrasts() {
  return {{2, 4, {0, 1, 2}, {0, 1}}, {{0, 0, 2}, {0, 0, 3}, {1, 1, 2}, {1, 1, 3}}, 2, 4, 3,
          {2, 0, 0, 4, 0, 0},        {0, 5, 0, 0, 10, 0, 3, 0, 0, 0, 0, 1}};
}

TEST_P(SampledContrastWeight, MatchesHandComputation) {
  // τ = 1/2: ℓ = log(exp(2) + 1) of both pairs. τ_w = 2: w = 1/2 and 1/4.
  const ContrastOutputs out = run_weighted_contrast(
      backend_, crossed_contrasts(), {.temperature = 0.5}, {{0, 2 * std::log(3.0)}, 2})[0];
  const double term = std::log(std::exp(2.0) + 1);
  EXPECT_NEAR(out.losses[0], (0.5 + 0.25) * term / 2, 64 * epsilon());
  // ∂/∂s⁺ = 1/2 (-2 w + w (1 - w) / 2 ℓ); ∂/∂s of item 3 = 1/2 · 2 w / (exp(2) + 1).
  const double first = (-1 + term / 8) / 2;
  const double second = (-0.5 + 3 * term / 32) / 2;
  const double least = 1 / (std::exp(2.0) + 1);
  const auto expect = [&](const Values& actual, const Values& wanted) {
    EXPECT_TRUE(within_bound(
        {.actual = actual, .expected = wanted, .magnitude = Values(wanted.size(), 1), .cols = 3},
        64, epsilon()));
  };
  // Across û = (1, 0, 0): item 2 is along it.
  expect(out.grad_users, {0, first / 2, 0.5 * least / 2, 0, second / 4, 0.25 * least / 4});
  // Items 0 and 1: û over their norms. Item 2 is along û; item 3 gets both pairs' parts.
  expect(out.grad_items, {first / 5, 0, 0, second / 10, 0, 0, 0, 0, 0, (0.5 + 0.25) * least, 0, 0});
}

TEST_P(SampledContrastWeight, MatchesTheReference) {
  for (const int negatives : {1, 3, 64}) {
    for (const std::int64_t width : {3, 16, 130}) {
      const ContrastProblem problem = contrast_problem_of(40, negatives, 33, width);
      for (const double temperature : {0.05, 0.5, 3.0}) {
        check(problem, {.temperature = 0.2, .negative_weight = 0.84}, temperature);
      }
    }
  }
}

TEST_P(SampledContrastWeight, OneAndZeroAreTheEndsOfTheSigmoid) {
  const ContrastProblem problem = contrast_problem_of(20, 3, 20, 7);
  const auto users = static_cast<std::size_t>(problem.graph.num_users());
  const auto with = [&](double threshold) {
    return run_weighted_contrast(backend_, problem, {}, {Values(users, threshold), 0.01})[0];
  };
  const ContrastOutputs plain = run_contrast(backend_, problem, {})[0];
  EXPECT_EQ(with(-100).losses[0], plain.losses[0]);
  if (GetParam().repeats) {
    EXPECT_TRUE(same_bits(with(-100).grad_users, plain.grad_users));
    EXPECT_TRUE(same_bits(with(-100).grad_items, plain.grad_items));
  }
  EXPECT_EQ(with(100).losses[0], 0);
  for (const Values& gradient : {with(100).grad_users, with(100).grad_items}) {
    for (const double value : gradient) EXPECT_TRUE(value == 0 || std::isnan(value)) << value;
  }
}

TEST_P(SampledContrastWeight, RefusesOptionsAndShapes) {
  const ContrastProblem problem = crossed_contrasts();
  for (const double temperature : {0.0, -1.0, std::nan("")}) {
    EXPECT_THROW(run_weighted_contrast(backend_, problem, {}, {{0, 0}, temperature}), ConfigError);
  }
  EXPECT_THROW(run_weighted_contrast(backend_, problem, {}, {{0}}), ShapeError);
  EXPECT_THROW(run_weighted_contrast(backend_, problem,
                                     {.kind = SampledContrastKind::kCosineContrastive}, {{0, 0}}),
               ConfigError);
}

INSTANTIATE_TEST_SUITE_P(Backends, SampledContrastWeight,
                         testing::ValuesIn(backends_of_batches_under_test()), backend_name);

}  // namespace
}  // namespace tern::test
