#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tern/error.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/graphs.hpp"
#include "tests/support/matrices.hpp"
#include "tests/support/pairs.hpp"
#include "tests/support/sampling.hpp"

namespace tern::test {
namespace {

using SoftmaxOptions = InBatchSoftmaxOptions;

PairOutputs run_softmax(Backend& backend, const PairProblem& problem,
                        const SoftmaxOptions& options) {
  return run_pair_loss(backend, problem,
                       [&](Triplets& triplets, const Matrix& users, const Matrix& items,
                           Matrix& grad_users, Matrix& grad_items, Matrix& losses) {
                         backend.in_batch_softmax(triplets, options, users, items, grad_users,
                                                  grad_items, losses);
                       });
}

/// Bounds of the rounding errors: Σ|terms| with unit rows, whose elements and logits carry errors of
/// their own: a logit's error δ changes every share by at most 2δ times itself.
struct SoftmaxBounds {
  Values grad_users, grad_items;
  double loss = 0;
};

SoftmaxBounds softmax_bounds_of(const PairProblem& problem, const SoftmaxOptions& options) {
  const std::int64_t width = problem.width;
  SoftmaxBounds bounds{Values(problem.users.size()), Values(problem.items.size())};
  const auto size = static_cast<double>(problem.pairs.size());
  const auto norm_of = [&](const Values& rows, NodeId node) {
    return divisor_of(rows, node, width);
  };
  // The largest row of shares has a sum of t₂, and the positive adds 1.
  const double terms = 1 + options.negative_weight;
  const double logit = (summation_factor(static_cast<double>(width)) + 4) / options.temperature +
                       16 * options.popularity_correction * std::log(size + 2);
  const double error =
      summation_factor(size) + summation_factor(static_cast<double>(width)) + 2 * logit;
  const double pull = terms / (size * options.temperature);
  std::vector<double> occurrences_of_items(static_cast<std::size_t>(problem.graph.num_items()));
  for (const Triplet& pair : problem.pairs) {
    for (std::int64_t d = 0; d < width; ++d) {
      bounds.grad_users[pair.user * width + d] +=
          2 * pull * error / norm_of(problem.users, pair.user);
    }
    ++occurrences_of_items[static_cast<std::size_t>(pair.positive)];
  }
  // An item gets shares of every row: at most one of each, t₂ each.
  for (NodeId item = 0; item < problem.graph.num_items(); ++item) {
    if (occurrences_of_items[static_cast<std::size_t>(item)] == 0) continue;
    const double most =
        occurrences_of_items[static_cast<std::size_t>(item)] + size * options.negative_weight;
    for (std::int64_t d = 0; d < width; ++d) {
      bounds.grad_items[item * width + d] +=
          2 * most / (size * options.temperature) * error / norm_of(problem.items, item);
    }
  }
  bounds.loss =
      terms * logit + summation_factor(size) * (2 / options.temperature + std::log(size + 1));
  return bounds;
}

class InBatchSoftmax : public BackendTest {
 protected:
  void check(const PairProblem& problem, const SoftmaxOptions& options, const std::string& where) {
    const PairOutputs actual = run_softmax(backend_, problem, options);
    const PairOutputs expected = run_softmax(reference_, problem, options);
    const SoftmaxBounds bounds = softmax_bounds_of(problem, options);
    const auto compare = [&](const Values& got, const Values& wanted, const Values& magnitude,
                             Side side, NodeId num_nodes) {
      return within_bound({.actual = got,
                           .expected = wanted,
                           .magnitude = magnitude,
                           .cols = problem.width,
                           .written = marks(num_nodes, rows_of(problem.pairs, side))},
                          1, epsilon());
    };
    EXPECT_TRUE(compare(actual.grad_users, expected.grad_users, bounds.grad_users, Side::kUser,
                        problem.graph.num_users()))
        << where;
    EXPECT_TRUE(compare(actual.grad_items, expected.grad_items, bounds.grad_items, Side::kItem,
                        problem.graph.num_items()))
        << where;
    EXPECT_NEAR(actual.losses[0], expected.losses[0], epsilon() * bounds.loss) << where;
    EXPECT_TRUE(std::isnan(actual.losses[1])) << where;
  }
};

std::string describe_softmax(const PairProblem& problem, const SoftmaxOptions& options) {
  return "B " + std::to_string(problem.pairs.size()) + ", D " + std::to_string(problem.width) +
         ", mask " + std::to_string(static_cast<int>(options.mask)) + ", temperature " +
         std::to_string(options.temperature);
}

TEST_P(InBatchSoftmax, MatchesHandComputation) {
  // Unit rows on the axes, τ = 1/2: s = 1 on the diagonal of both pairs, 0 elsewhere.
  const PairProblem problem{
      {2, 3, {0, 1, 2}, {0, 1}}, {{0, 0, 2}, {1, 1, 2}}, 2, {3, 0, 0, 5}, {2, 0, 0, 4, 7, 7}};
  const PairOutputs out = run_softmax(backend_, problem, {.temperature = 0.5});
  // Each row: -1/τ + log(exp(0)) = -2.
  EXPECT_NEAR(out.losses[0], -2, 64 * epsilon());
  // ∂/∂û_0 = 1/(Bτ) (p̂_1 - p̂_0) = (-1, 1); across û_0 and over its norm: (0, 1/3).
  const auto expect = [&](const Values& actual, const Values& wanted) {
    EXPECT_TRUE(within_bound(
        {.actual = actual, .expected = wanted, .magnitude = Values(wanted.size(), 1), .cols = 2},
        64, epsilon()));
  };
  expect(out.grad_users, {0, 1.0 / 3, 1.0 / 5, 0});
  expect(out.grad_items, {0, 1.0 / 2, 1.0 / 4, 0, 0, 0});  // the negative's row: zeros
}

TEST_P(InBatchSoftmax, WeighsNegativesAndCorrectsForPopularity) {
  // Item 0 has both users, item 1 one of them: q = 2/3, 1/3. The batch: (0, 0), (1, 1), (1, 0).
  const PairProblem problem{
      {2, 3, {0, 1, 3}, {0, 0, 1}}, {{0, 0, 2}, {1, 1, 2}, {1, 0, 2}}, 1, {1, 1}, {1, 1, 1}};
  const double t2 = 0.75;
  const PairOutputs out = run_softmax(
      backend_, problem, {.temperature = 1, .negative_weight = t2, .popularity_correction = 1});
  // All s are 1: rows 0 and 2 have the columns {1, 2} and {0, 1}, row 1 has {0, 2}.
  const double l0 = 1 - std::log(2.0 / 3);
  const double l1 = 1 - std::log(1.0 / 3);
  const double mixed = std::log(std::exp(l0) + std::exp(l1));
  const double same = std::log(2 * std::exp(l0));
  EXPECT_NEAR(out.losses[0], (t2 * (2 * mixed + same) - 3) / 3, 64 * epsilon());
}

TEST_P(InBatchSoftmax, MasksTakeColumnsAway) {
  // User 0 has items 0 and 1, user 1 has item 0, user 2 has item 2. The batch: all four pairs.
  const Interactions graph{3, 4, {0, 2, 3, 4}, {0, 1, 0, 2}};
  const std::vector<Triplet> pairs{{0, 0, 3}, {0, 1, 3}, {1, 0, 3}, {2, 2, 3}};
  const PairProblem problem{graph, pairs, 1, {1, 1, 1}, {1, 1, 1, 1}};
  // All s are 1, so a row's sum is the logarithm of its number of columns, plus 1.
  const auto loss_of = [&](SoftmaxMask mask) {
    return run_softmax(backend_, problem, {.temperature = 1, .mask = mask}).losses[0];
  };
  const auto mean = [](std::vector<double> columns) {
    double sum = 0;
    for (const double n : columns) sum += std::log(n);
    return sum / static_cast<double>(columns.size());
  };
  EXPECT_NEAR(loss_of(SoftmaxMask::kNone), mean({3, 3, 3, 3}), 64 * epsilon());
  EXPECT_NEAR(loss_of(SoftmaxMask::kSameItem), mean({2, 3, 2, 3}), 64 * epsilon());
  EXPECT_NEAR(loss_of(SoftmaxMask::kObserved), mean({1, 1, 2, 3}), 64 * epsilon());
}

TEST_P(InBatchSoftmax, ARowWithoutColumnsAddsNothing) {
  // Both pairs have the same item, so that no column is left.
  const PairProblem problem{{2, 2, {0, 1, 2}, {0, 0}},
                            {{0, 0, 1}, {1, 0, 1}},
                            3,
                            random_values(6, 1),
                            random_values(6, 2)};
  const PairOutputs out = run_softmax(backend_, problem, {.mask = SoftmaxMask::kSameItem});
  EXPECT_EQ(out.losses[0], 0);
  EXPECT_EQ(out.grad_users, Values(6, 0));
  EXPECT_EQ(out.grad_items, Values(6, 0));
}

TEST_P(InBatchSoftmax, MatchesTheReferenceForEveryBatch) {
  for (const std::int64_t size : {1, 2, 3, 31, 33, 64, 65, 130, 300}) {
    for (const std::int64_t width : {1, 3, 16, 64, 65}) {
      if (size * size * width > GetParam().budget) continue;
      const PairProblem problem = pair_problem_of(size, width);
      for (const SoftmaxMask mask :
           {SoftmaxMask::kNone, SoftmaxMask::kSameItem, SoftmaxMask::kObserved}) {
        const SoftmaxOptions options{.temperature = 0.12, .negative_weight = 0.84, .mask = mask};
        check(problem, options, describe_softmax(problem, options));
      }
    }
  }
}

TEST_P(InBatchSoftmax, NothingOverflowsOrVanishes) {
  for (const double temperature : {0.01, 0.1, 1.0, 10.0}) {
    for (const double scale : {1e-20, 1e-6, 1.0, 1e20}) {
      PairProblem problem = pair_problem_of(33, 16, scale);
      const SoftmaxOptions options{.temperature = temperature, .popularity_correction = 0.5};
      check(problem, options,
            describe_softmax(problem, options) + ", scale " + std::to_string(scale));
      // All rows equal.
      for (Values* rows : {&problem.users, &problem.items}) equalize_rows(*rows, 16);
      check(problem, options, describe_softmax(problem, options) + ", equal rows");
    }
  }
}

TEST_P(InBatchSoftmax, PairsAndTripletsGiveTheSame) {
  const PairProblem triplets = pair_problem_of(33, 7);
  PairProblem pairs = triplets;
  for (Triplet& pair : pairs.pairs) pair.negative = kNoItem;
  const SoftmaxOptions options{.temperature = 0.1, .mask = SoftmaxMask::kSameItem};
  check(pairs, options, "pairs");
  const PairOutputs one = run_softmax(backend_, triplets, options);
  const PairOutputs other = run_softmax(backend_, pairs, options);
  EXPECT_EQ(one.losses[0], other.losses[0]);
  if (!GetParam().repeats) return;
  EXPECT_TRUE(same_bits(one.grad_users, other.grad_users));
}

TEST_P(InBatchSoftmax, ZeroRowsHaveAFiniteGradient) {
  PairProblem problem = pair_problem_of(31, 5);
  std::fill_n(problem.users.begin(), 10, 0.0);
  std::fill_n(problem.items.begin() + 5, 5, 0.0);
  const SoftmaxOptions options{.temperature = 0.2};
  check(problem, options, "zero rows");
}

TEST_P(InBatchSoftmax, RefusesOptionsAndShapes) {
  const PairProblem problem = pair_problem_of(3, 2);
  for (const SoftmaxOptions& options :
       {SoftmaxOptions{.temperature = 0}, SoftmaxOptions{.temperature = std::nan("")},
        SoftmaxOptions{.negative_weight = -1}, SoftmaxOptions{.popularity_correction = -0.5}}) {
    EXPECT_THROW(run_softmax(backend_, problem, options), ConfigError);
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, InBatchSoftmax,
                         testing::ValuesIn(backends_of_batches_under_test()), backend_name);

}  // namespace
}  // namespace tern::test
