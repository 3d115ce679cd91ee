#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "tern/error.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/matrices.hpp"
#include "tests/support/pairs.hpp"

// in_batch_softmax with thresholds, by which pairs are weighted.
namespace tern::test {
namespace {

/// β by user, and τ_w.
struct SoftmaxThresholds {
  Values values;
  double temperature = 1.0;
};

PairLoss weighted_softmax(Backend& backend, const InBatchSoftmaxOptions& options,
                          const Matrix& thresholds, double temperature) {
  return [&backend, options, &thresholds, temperature](Triplets& triplets, const Matrix& users,
                                                       const Matrix& items, Matrix& grad_users,
                                                       Matrix& grad_items, Matrix& losses) {
    InBatchSoftmaxOptions weighted = options;
    weighted.pair_weight = {.thresholds = &thresholds, .temperature = temperature};
    backend.in_batch_softmax(triplets, weighted, users, items, grad_users, grad_items, losses);
  };
}

PairOutputs run_weighted_softmax(Backend& backend, const PairProblem& problem,
                                 const InBatchSoftmaxOptions& options,
                                 const SoftmaxThresholds& thresholds) {
  const Matrix beta = make_matrix(backend, 1, std::ssize(thresholds.values), thresholds.values);
  return run_pair_loss(backend, problem,
                       weighted_softmax(backend, options, beta, thresholds.temperature));
}

class InBatchSoftmaxWeight : public BackendTest {
 protected:
  void check(const PairBattery& battery, const InBatchSoftmaxOptions& options, double temperature) {
    SCOPED_TRACE("B " + std::to_string(battery.batch_size) + ", D " +
                 std::to_string(battery.width) + ", mask " +
                 std::to_string(static_cast<int>(options.mask)) + ", weight temperature " +
                 std::to_string(temperature));
    const NodeId users = battery.graph.num_users();
    const Values beta = random_values(users, 9);
    const auto results = [&](Backend& backend) {
      const Matrix thresholds = make_matrix(backend, 1, users, beta);
      return pair_battery_results(backend, battery,
                                  weighted_softmax(backend, options, thresholds, temperature));
    };
    // Errors of sums over a batch; of shares by those of logits, of weights by those of cosines.
    const double terms = summation_factor(static_cast<double>(battery.batch_size));
    const double bound = 2 * terms * (1 / options.temperature + 1 / temperature) * epsilon();
    EXPECT_TRUE(same_results(results(backend_), results(reference_), bound));
  }
};

/// û_t·p̂_t = 0 and û_t·p̂_j = 1 for t ≠ j, all rows on the axes.
PairProblem crossed_pairs() {
  return {{2, 3, {0, 1, 2}, {0, 1}}, {{0, 0, 2}, {1, 1, 2}}, 2, {3, 0, 0, 5}, {0, 2, 4, 0, 7, 7}};
}

TEST_P(InBatchSoftmaxWeight, MatchesHandComputation) {
  // τ = 1/2: ℓ = 0 + log(exp(2)) = 2 of both pairs. τ_w = 1: w = 1/2 and 3/4.
  const PairOutputs out =
      run_weighted_softmax(backend_, crossed_pairs(), {.temperature = 0.5}, {{0, -std::log(3.0)}});
  EXPECT_NEAR(out.losses[0], (0.5 * 2 + 0.75 * 2) / 2, 64 * epsilon());
  // ∂/∂s_00 = 1/2 (-1/2 · 2 + 1/4 · 2) = -1/4, ∂/∂s_01 = 1/2 · 1/2 · 2 = 1/2;
  // ∂/∂s_11 = 1/2 (-3/4 · 2 + 3/16 · 2) = -9/16, ∂/∂s_10 = 3/4.
  const auto expect = [&](const Values& actual, const Values& wanted) {
    EXPECT_TRUE(within_bound(
        {.actual = actual, .expected = wanted, .magnitude = Values(wanted.size(), 1), .cols = 2},
        64, epsilon()));
  };
  // ∂/∂û_0 = -1/4 p̂_0 + 1/2 p̂_1 = (1/2, -1/4), across û_0 = (1, 0) and over 3.
  expect(out.grad_users, {0, -0.25 / 3, -0.5625 / 5, 0});
  expect(out.grad_items, {-0.25 / 2, 0, 0, -0.5625 / 4, 0, 0});
}

TEST_P(InBatchSoftmaxWeight, MatchesTheReference) {
  for (const SoftmaxMask mask :
       {SoftmaxMask::kNone, SoftmaxMask::kSameItem, SoftmaxMask::kObserved}) {
    check({300, 130, 7}, {.temperature = 0.3, .negative_weight = 0.84, .mask = mask}, 0.4);
  }
  for (const double temperature : {0.05, 0.5, 3.0}) {
    check({140, 150, 64}, {.temperature = 0.2, .popularity_correction = 0.5}, temperature);
  }
  check({70, 1, 3}, {}, 1.0);
}

TEST_P(InBatchSoftmaxWeight, OneAndZeroAreTheEndsOfTheSigmoid) {
  const PairProblem problem = pair_problem_of(33, 7);
  const auto users = static_cast<std::size_t>(problem.graph.num_users());
  const auto with = [&](double threshold) {
    return run_weighted_softmax(backend_, problem, {}, {Values(users, threshold), 0.01});
  };
  const PairOutputs plain = run_pair_loss(
      backend_, problem,
      [&](Triplets& triplets, const Matrix& of_users, const Matrix& of_items, Matrix& grad_users,
          Matrix& grad_items, Matrix& losses) {
        backend_.in_batch_softmax(triplets, {}, of_users, of_items, grad_users, grad_items, losses);
      });
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

TEST_P(InBatchSoftmaxWeight, ARowWithoutColumnsAddsNothing) {
  const PairProblem problem{{2, 2, {0, 1, 2}, {0, 0}},
                            {{0, 0, 1}, {1, 0, 1}},
                            3,
                            random_values(6, 1),
                            random_values(6, 2)};
  const PairOutputs out = run_weighted_softmax(backend_, problem, {.mask = SoftmaxMask::kSameItem},
                                               {{0.25, -0.25}, 0.5});
  EXPECT_EQ(out.losses[0], 0);
  EXPECT_EQ(out.grad_users, Values(6, 0));
  EXPECT_EQ(out.grad_items, Values(6, 0));
}

TEST_P(InBatchSoftmaxWeight, StaysFiniteAtTheLeastTemperature) {
  const PairProblem problem = crossed_pairs();  // both cosines are their thresholds: w = 1/2
  const PairOutputs out = run_weighted_softmax(backend_, problem, {}, {{0, 0}, 1e-300});
  EXPECT_TRUE(std::isfinite(out.losses[0]));
  for (const double value : out.grad_users) EXPECT_TRUE(std::isfinite(value)) << value;
  for (const double value : out.grad_items) EXPECT_TRUE(std::isfinite(value)) << value;
}

TEST_P(InBatchSoftmaxWeight, KeepsAThresholdOfNaN) {
  const PairOutputs out = run_weighted_softmax(backend_, crossed_pairs(), {}, {{0, std::nan("")}});
  EXPECT_TRUE(std::isnan(out.losses[0]));
}

TEST_P(InBatchSoftmaxWeight, RefusesOptionsAndShapes) {
  const PairProblem problem = crossed_pairs();
  for (const double temperature : {0.0, -1.0, std::nan("")}) {
    EXPECT_THROW(run_weighted_softmax(backend_, problem, {}, {{0, 0}, temperature}), ConfigError);
  }
  EXPECT_THROW(run_weighted_softmax(backend_, problem, {}, {{0}}), ShapeError);
  EXPECT_THROW(run_weighted_softmax(backend_, problem, {}, {{0, 0, 0}}), ShapeError);
}

INSTANTIATE_TEST_SUITE_P(Backends, InBatchSoftmaxWeight,
                         testing::ValuesIn(backends_of_batches_under_test()), backend_name);

}  // namespace
}  // namespace tern::test
