#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tern/error.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/contrasts.hpp"
#include "tests/support/matrices.hpp"
#include "tests/support/pairs.hpp"
#include "tests/support/sampling.hpp"

// in_batch_softmax with the sampled negatives of all pairs as more columns.
namespace tern::test {
namespace {

constexpr auto kMixedColumns = SoftmaxColumns::kPairsAndNegatives;

PairLoss mixed_softmax(Backend& backend, const InBatchSoftmaxOptions& options) {
  return [&backend, options](Triplets& triplets, const Matrix& users, const Matrix& items,
                             Matrix& grad_users, Matrix& grad_items, Matrix& losses) {
    backend.in_batch_softmax(triplets, options, users, items, grad_users, grad_items, losses);
  };
}

std::vector<ContrastOutputs> run_mixed(Backend& backend, const ContrastProblem& problem,
                                       const InBatchSoftmaxOptions& options,
                                       const SamplingOptions& sampling = {}) {
  return run_sampled_loss(backend, problem, mixed_softmax(backend, options), sampling);
}

bool finite_row(const Values& rows, NodeId row, std::int64_t width) {
  const auto begin = rows.begin() + row * width;
  return std::all_of(begin, begin + width, [](double value) { return std::isfinite(value); });
}

/// Two pairs over unit rows on the axes, with two equal negatives each.
ContrastProblem pairs_on_axes() {
  return {{2, 4, {0, 1, 2}, {0, 1}},
          {{0, 0, 2}, {0, 0, 2}, {1, 1, 3}, {1, 1, 3}},
          2,
          4,
          2,
          {3, 0, 0, 5},
          {2, 0, 0, 4, 7, 0, -2, 0}};
}

class InBatchSoftmaxMixed : public BackendTest {
 protected:
  void check(const ContrastProblem& problem, const InBatchSoftmaxOptions& options,
             const SamplingOptions& sampling = {}) {
    SCOPED_TRACE("pairs " + std::to_string(problem.graph.size()) + ", M " +
                 std::to_string(problem.negatives) + ", batch " + std::to_string(problem.batch) +
                 ", D " + std::to_string(problem.width) + ", mask " +
                 std::to_string(static_cast<int>(options.mask)));
    const auto actual = run_mixed(backend_, problem, options, sampling);
    const auto expected = run_mixed(reference_, problem, options, sampling);
    const double columns = static_cast<double>(problem.batch) * (1 + 1.0 / problem.negatives);
    const double bound = 2 * summation_factor(columns) / options.temperature * epsilon();
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t b = 0; b < actual.size(); ++b) {
      SCOPED_TRACE("batch " + std::to_string(b));
      EXPECT_TRUE(same_results({actual[b].grad_users, actual[b].grad_items},
                               {expected[b].grad_users, expected[b].grad_items}, bound));
      // Positive and negatives may cancel.
      EXPECT_NEAR(actual[b].losses[b], expected[b].losses[b],
                  bound * (2 / options.temperature + std::log(columns + 1)));
    }
  }
};

TEST_P(InBatchSoftmaxMixed, MatchesHandComputation) {
  const auto out =
      run_mixed(backend_, pairs_on_axes(), {.temperature = 0.5, .columns = kMixedColumns});
  ASSERT_EQ(out.size(), 1u);
  // Cosines / τ of user 0: 0 with item 1, 2 and -2 with the negatives 2 and 3; of user 1: all 0.
  const double sum = 1 + 2 * std::exp(2) + 2 * std::exp(-2);
  EXPECT_NEAR(out[0].losses[0], (std::log(sum) + std::log(5)) / 2 - 2, 64 * epsilon());
  const auto expect = [&](const Values& actual, const Values& wanted) {
    EXPECT_TRUE(within_bound(
        {.actual = actual, .expected = wanted, .magnitude = Values(wanted.size(), 1), .cols = 2},
        64, epsilon()));
  };
  // 1/(Pτ) = 1. Across û_0 = (1, 0) only item 1 pushes, with the share 1 / sum; across û_1 = (0, 1)
  // the five columns push by a fifth each, those of item 3 the other way. Then over the norms.
  expect(out[0].grad_users, {0, 1 / sum / 3, 0.2 / 5, 0});
  expect(out[0].grad_items, {0, 0.2 / 2, 1 / sum / 4, 0, 0, 0.4 / 7, 0, 0.4 / 2});
}

TEST_P(InBatchSoftmaxMixed, CorrectsForTheShareOfTheMixture) {
  // Item 0 has both users, item 1 one of them, item 2 none. All s are 1.
  const ContrastProblem problem{
      {2, 3, {0, 1, 3}, {0, 0, 1}}, {{0, 0, 2}, {1, 1, 2}, {1, 0, 2}}, 1, 3, 1, {1, 1}, {1, 1, 1}};
  const InBatchSoftmaxOptions options{
      .temperature = 1, .columns = kMixedColumns, .popularity_correction = 1};
  const auto loss_of = [&](const SamplingOptions& sampling) {
    return run_mixed(backend_, problem, options, sampling).at(0).losses[0];
  };
  const auto mean_of_logs = [](double a, double b, double c) {
    return (std::log(a) + std::log(b) + std::log(c)) / 3;
  };
  // Uniform: q = (2/3 + 1/3) / 2, 1/3, 1/3; columns weigh 2, 3, 3, and each row has three of item 2.
  EXPECT_NEAR(loss_of({}), mean_of_logs(3 + 2 + 9, 2 + 2 + 9, 2 + 3 + 9), 64 * epsilon());
  // By degree: q = 2/3, 1/3, (1/3 + 0) / 2.
  const SamplingOptions popular{.negatives = NegativeSampling::kPopularity,
                                .popularity_exponent = 1};
  EXPECT_NEAR(loss_of(popular), mean_of_logs(3 + 1.5 + 18, 1.5 + 1.5 + 18, 1.5 + 3 + 18),
              64 * epsilon());
}

TEST_P(InBatchSoftmaxMixed, MasksTakeSampledColumnsAwayToo) {
  // User 0 has items 0 and 1, user 1 has item 0, user 2 has item 2. Columns: 0, 1, 0, 2; 3, 2, 1, 0.
  const ContrastProblem problem{{3, 4, {0, 2, 3, 4}, {0, 1, 0, 2}},
                                {{0, 0, 3}, {0, 1, 2}, {1, 0, 1}, {2, 2, 0}},
                                1,
                                4,
                                1,
                                {1, 1, 1},
                                {1, 1, 1, 1}};
  // All s are 1, so a row's loss is the logarithm of its number of columns.
  const auto expect = [&](SoftmaxMask mask, const Values& columns) {
    const auto out =
        run_mixed(backend_, problem, {.temperature = 1, .mask = mask, .columns = kMixedColumns});
    double sum = 0;
    for (const double n : columns) sum += std::log(n);
    EXPECT_NEAR(out.at(0).losses[0], sum / 4, 64 * epsilon()) << static_cast<int>(mask);
  };
  expect(SoftmaxMask::kNone, {7, 7, 7, 7});
  expect(SoftmaxMask::kSameItem, {5, 6, 5, 6});
  expect(SoftmaxMask::kObserved, {3, 3, 5, 6});
}

TEST_P(InBatchSoftmaxMixed, MatchesTheReferenceForEveryBatch) {
  for (const int negatives : {1, 2, 5}) {
    for (const std::int64_t batch : {1, 2, 31, 64, 65, 130}) {
      for (const std::int64_t width : {3, 64}) {
        if (batch * batch * negatives * width > GetParam().budget) continue;
        // The last batch is short.
        const auto problem = contrast_problem_of(batch + batch / 3 + 1, negatives, batch, width);
        for (const SoftmaxMask mask :
             {SoftmaxMask::kNone, SoftmaxMask::kSameItem, SoftmaxMask::kObserved}) {
          check(problem, {.temperature = 0.3,
                          .negative_weight = 0.84,
                          .mask = mask,
                          .columns = kMixedColumns,
                          .popularity_correction = 0.5});
        }
      }
    }
  }
  check(contrast_problem_of(40, 3, 33, 130),
        {.temperature = 0.3, .columns = kMixedColumns, .popularity_correction = 1},
        {.negatives = NegativeSampling::kPopularity});
}

TEST_P(InBatchSoftmaxMixed, NothingOverflowsOrVanishes) {
  for (const double temperature : {0.01, 1.0, 10.0}) {
    for (const double scale : {1e-20, 1.0, 1e20}) {
      ContrastProblem problem = contrast_problem_of(33, 2, 33, 16, scale);
      check(problem, {.temperature = temperature, .columns = kMixedColumns});
      for (Values* rows : {&problem.users, &problem.items}) equalize_rows(*rows, 16);
      // Gradients of equal rows are rounding errors alone.
      const auto out =
          run_mixed(backend_, problem, {.temperature = temperature, .columns = kMixedColumns});
      ASSERT_EQ(out.size(), 1u);
      EXPECT_TRUE(std::isfinite(out[0].losses[0]));
      // Rows of nodes that are not in the batch stay poisoned.
      for (const auto& [user, positive, negative] : problem.triplets) {
        EXPECT_TRUE(finite_row(out[0].grad_users, user, problem.width));
        EXPECT_TRUE(finite_row(out[0].grad_items, positive, problem.width));
        EXPECT_TRUE(finite_row(out[0].grad_items, negative, problem.width));
      }
    }
  }
}

TEST_P(InBatchSoftmaxMixed, WeighsPairsByTheirUsersThresholds) {
  const ContrastProblem problem = contrast_problem_of(40, 3, 30, 7);
  const Values values = random_values(problem.graph.num_users(), 9);
  const auto run = [&](Backend& backend) {
    const Matrix thresholds = make_matrix(backend, 1, std::ssize(values), values);
    return run_mixed(backend, problem,
                     {.temperature = 0.3,
                      .mask = SoftmaxMask::kObserved,
                      .columns = kMixedColumns,
                      .pair_weight = {.thresholds = &thresholds, .temperature = 0.4}});
  };
  const auto actual = run(backend_);
  const auto expected = run(reference_);
  for (std::size_t b = 0; b < expected.size(); ++b) {
    EXPECT_TRUE(same_results({actual[b].grad_users, actual[b].grad_items},
                             {expected[b].grad_users, expected[b].grad_items},
                             4 * summation_factor(120) / 0.3 * epsilon()))
        << b;
    EXPECT_NEAR(actual[b].losses[b], expected[b].losses[b], 1024 * epsilon());
  }
}

TEST_P(InBatchSoftmaxMixed, RepeatsBitForBit) {
  if (!GetParam().repeats) GTEST_SKIP() << "float atomics add in another order each time";
  const ContrastProblem problem = contrast_problem_of(150, 3, 100, 33);
  const InBatchSoftmaxOptions options{.temperature = 0.2, .columns = kMixedColumns};
  const auto first = run_mixed(backend_, problem, options);
  const auto second = run_mixed(backend_, problem, options);
  for (std::size_t b = 0; b < first.size(); ++b) {
    EXPECT_TRUE(same_bits(second[b].grad_users, first[b].grad_users));
    EXPECT_TRUE(same_bits(second[b].grad_items, first[b].grad_items));
    EXPECT_TRUE(same_bits(second[b].losses, first[b].losses));
  }
}

TEST_P(InBatchSoftmaxMixed, RefusesPartsOfPairs) {
  const InBatchSoftmaxOptions options{.columns = kMixedColumns};
  ContrastProblem problem = contrast_problem_of(6, 3, 2, 2);
  problem.batch = 4;
  EXPECT_THROW(run_mixed(backend_, problem, options), ShapeError);
  PairProblem pairs = pair_problem_of(3, 2);
  for (Triplet& pair : pairs.pairs) pair.negative = kNoItem;
  EXPECT_THROW(run_pair_loss(backend_, pairs, mixed_softmax(backend_, options)), ShapeError);
}

INSTANTIATE_TEST_SUITE_P(Backends, InBatchSoftmaxMixed,
                         testing::ValuesIn(backends_of_batches_under_test()), backend_name);

}  // namespace
}  // namespace tern::test
