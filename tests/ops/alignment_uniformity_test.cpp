#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tern/error.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/matrices.hpp"
#include "tests/support/pairs.hpp"
#include "tests/support/sampling.hpp"

namespace tern::test {
namespace {

PairOutputs run_alignment(Backend& backend, const PairProblem& problem, double weight) {
  return run_pair_loss(backend, problem,
                       [&](Triplets& triplets, const Matrix& users, const Matrix& items,
                           Matrix& grad_users, Matrix& grad_items, Matrix& losses) {
                         backend.alignment_uniformity(triplets, {.uniformity_weight = weight},
                                                      users, items, grad_users, grad_items, losses);
                       });
}

/// Bounds of the rounding errors of one side's gradient: Σ|terms| of unit rows, whose elements are at
/// most 1. A power's exponent is four times a product of unit rows.
Values alignment_bounds(const PairProblem& problem, double weight, Side side) {
  const Values& table = side == Side::kUser ? problem.users : problem.items;
  const std::int64_t width = problem.width;
  std::vector<NodeId> nodes;
  for (const Triplet& pair : problem.pairs) {
    nodes.push_back(side == Side::kUser ? pair.user : pair.positive);
  }
  const auto power = [&](NodeId a, NodeId b) {
    double square = 0;
    for (std::int64_t d = 0; d < width; ++d) {
      square += std::pow(table[a * width + d] / divisor_of(table, a, width) -
                             table[b * width + d] / divisor_of(table, b, width),
                         2);
    }
    return std::exp(-2 * square);
  };
  const auto size = static_cast<double>(nodes.size());
  std::vector<double> sums;
  double sum = 0;
  for (std::size_t t = 0; t < nodes.size(); ++t) {
    sums.push_back(0);
    for (std::size_t j = 0; j < nodes.size(); ++j) {
      if (j != t) sums.back() += power(nodes[t], nodes[j]);
    }
    sum += sums.back();
  }
  const double error = summation_factor(size) + summation_factor(static_cast<double>(width)) +
                       8 * (summation_factor(static_cast<double>(width)) + 4);
  Values bounds(table.size());
  for (std::size_t t = 0; t < nodes.size(); ++t) {
    const double spread = sum > 0 ? 2 * 4 * weight * sums[t] / sum : 0;
    for (std::int64_t d = 0; d < width; ++d) {
      bounds[nodes[t] * width + d] +=
          2 * (4 / size + spread) * error / divisor_of(table, nodes[t], width);
    }
  }
  return bounds;
}

class AlignmentUniformity : public BackendTest {
 protected:
  void check(const PairProblem& problem, double weight, const std::string& where) {
    const PairOutputs actual = run_alignment(backend_, problem, weight);
    const PairOutputs expected = run_alignment(reference_, problem, weight);
    const auto compare = [&](const Values& got, const Values& wanted, Side side, NodeId nodes) {
      return within_bound({.actual = got,
                           .expected = wanted,
                           .magnitude = alignment_bounds(problem, weight, side),
                           .cols = problem.width,
                           .written = marks(nodes, rows_of(problem.pairs, side))},
                          1, epsilon());
    };
    EXPECT_TRUE(
        compare(actual.grad_users, expected.grad_users, Side::kUser, problem.graph.num_users()))
        << where;
    EXPECT_TRUE(
        compare(actual.grad_items, expected.grad_items, Side::kItem, problem.graph.num_items()))
        << where;
    const double error = 8 * summation_factor(static_cast<double>(problem.width)) +
                         summation_factor(static_cast<double>(problem.pairs.size())) * 4;
    EXPECT_NEAR(actual.losses[0], expected.losses[0], epsilon() * error * (1 + weight)) << where;
    EXPECT_TRUE(std::isnan(actual.losses[1])) << where;
  }

  void expect(const Values& actual, const Values& wanted, double magnitude = 1) {
    EXPECT_TRUE(within_bound({.actual = actual,
                              .expected = wanted,
                              .magnitude = Values(wanted.size(), magnitude),
                              .cols = 2},
                             64, epsilon()));
  }
};

TEST_P(AlignmentUniformity, MatchesHandComputation) {
  // Each user on the axis of its item, two axes: no distance within a pair, 2 between pairs.
  const PairProblem problem{
      {2, 3, {0, 1, 2}, {0, 1}}, {{0, 0, 2}, {1, 1, 2}}, 2, {3, 0, 0, 5}, {2, 0, 0, 4, 7, 7}};
  const PairOutputs out = run_alignment(backend_, problem, 0.5);
  EXPECT_NEAR(out.losses[0], 0.25 * (-4 - 4), 64 * epsilon());
  // ∂/∂û_0 = γ/2 · 4 (û_1 - û_0) = (-1, 1); across û_0 and over its norm: (0, 1/3).
  expect(out.grad_users, {0, 1.0 / 3, 1.0 / 5, 0});
  expect(out.grad_items, {0, 1.0 / 2, 1.0 / 4, 0, 0, 0});  // the negative's row: zeros
}

TEST_P(AlignmentUniformity, APairAloneIsAlignedOnly) {
  const PairProblem problem{{1, 2, {0, 1}, {0}}, {{0, 0, kNoItem}}, 2, {3, 0}, {0, 2, 1, 1}};
  const PairOutputs out = run_alignment(backend_, problem, 7);
  EXPECT_NEAR(out.losses[0], 2, 64 * epsilon());
  expect(out.grad_users, {0, -2.0 / 3});
  EXPECT_NEAR(out.grad_items[0], -1, 64 * epsilon());
  EXPECT_NEAR(out.grad_items[1], 0, 64 * epsilon());
  EXPECT_TRUE(std::isnan(out.grad_items[2])) << "an item outside of the batch";
}

TEST_P(AlignmentUniformity, CountsPairsWithTheirRepeats) {
  // User 0 twice: its own repeat is at distance 0, user 1 at distance 2 from both.
  const PairProblem problem{{2, 4, {0, 2, 3}, {0, 1, 2}},
                            {{0, 0, 3}, {0, 1, 3}, {1, 2, 3}},
                            2,
                            {1, 0, 0, 1},
                            {1, 0, 1, 0, 0, 1, 5, 5}};
  const PairOutputs out = run_alignment(backend_, problem, 2);
  const double far = std::exp(-4.0);
  EXPECT_NEAR(out.losses[0], 2 * std::log((1 + 2 * far) / 3), 256 * epsilon());
  // ∂/∂û_1 across û_1: 4/Z (far + far) along û_0, Z = 1 + 2 far; user 0 gets as much from û_1.
  const double pull = 4 / (1 + 2 * far) * 2 * far;
  expect(out.grad_users, {0, pull, pull, 0});
}

TEST_P(AlignmentUniformity, AZeroRowIsAtDistanceOne) {
  const PairProblem problem{
      {2, 3, {0, 1, 2}, {0, 1}}, {{0, 0, 2}, {1, 1, 2}}, 2, {0, 0, 0, 5}, {2, 0, 4, 0, 7, 7}};
  const PairOutputs out = run_alignment(backend_, problem, 1);
  EXPECT_NEAR(out.losses[0], (1.0 + 2.0) / 2 + 0.5 * (-2), 64 * epsilon());
  // User 0: 2/B (û - p̂) = (-1, 0) and γ/2 · 4 (û_1 - û_0) = (0, 2), over 1e-12.
  EXPECT_NEAR(out.grad_users[0] * 1e-12, -1, 64 * epsilon());
  EXPECT_NEAR(out.grad_users[1] * 1e-12, 2, 64 * epsilon());
}

TEST_P(AlignmentUniformity, MatchesTheReferenceForEveryBatch) {
  for (const std::int64_t size : {1, 2, 3, 31, 33, 64, 65, 130, 300, 600, 2048}) {
    for (const std::int64_t width : {1, 3, 16, 64, 65, 130}) {
      if (size * size * width > std::min<std::int64_t>(GetParam().budget, 13'000'000)) continue;
      const PairProblem problem = pair_problem_of(size, width);
      check(problem, 0.8, "B " + std::to_string(size) + ", D " + std::to_string(width));
    }
  }
}

/// Batches with many tiles, a short last one, and rows that occur often.
TEST_P(AlignmentUniformity, MatchesTheReferenceForEveryBatchOfAnEpoch) {
  for (const PairBattery& battery : {PairBattery(1700, 1600, 3), PairBattery(140, 60, 130)}) {
    const auto results = [&](Backend& backend) {
      return pair_battery_results(backend, battery,
                                  [&](Triplets& triplets, const Matrix& users, const Matrix& items,
                                      Matrix& grad_users, Matrix& grad_items, Matrix& losses) {
                                    backend.alignment_uniformity(
                                        triplets, {.uniformity_weight = 0.25}, users, items,
                                        grad_users, grad_items, losses);
                                  });
    };
    const double terms = summation_factor(static_cast<double>(battery.batch_size));
    EXPECT_TRUE(same_results(results(backend_), results(reference_), 8 * terms * epsilon()))
        << battery.batch_size;
  }
}

TEST_P(AlignmentUniformity, NothingOverflowsOrVanishes) {
  // 4e-13: norms about 1e-12, from where on a row is shorter than 1 after its division.
  for (const double scale : {1e-20, 4e-13, 1e-6, 1.0, 1e20}) {
    for (const double weight : {0.0, 1.0, 1e4}) {
      PairProblem problem = pair_problem_of(33, 16, scale);
      const std::string where =
          "scale " + std::to_string(scale) + ", weight " + std::to_string(weight);
      check(problem, weight, where);
      for (Values* rows : {&problem.users, &problem.items}) equalize_rows(*rows, 16);
      check(problem, weight, where + ", equal rows");
    }
  }
}

TEST_P(AlignmentUniformity, ZeroRowsHaveAFiniteGradient) {
  PairProblem problem = pair_problem_of(31, 5);
  std::fill_n(problem.users.begin(), 10, 0.0);
  std::fill_n(problem.items.begin() + 5, 5, 0.0);
  check(problem, 1, "zero rows");
}

TEST_P(AlignmentUniformity, PairsAndTripletsGiveTheSame) {
  const PairProblem triplets = pair_problem_of(33, 7);
  PairProblem pairs = triplets;
  for (Triplet& pair : pairs.pairs) pair.negative = kNoItem;
  check(pairs, 1, "pairs");
  const PairOutputs one = run_alignment(backend_, triplets, 1);
  const PairOutputs other = run_alignment(backend_, pairs, 1);
  EXPECT_EQ(one.losses[0], other.losses[0]);
  if (!GetParam().repeats) return;
  EXPECT_TRUE(same_bits(one.grad_users, other.grad_users));
}

TEST_P(AlignmentUniformity, RepeatsBitForBit) {
  if (!GetParam().repeats) GTEST_SKIP() << "float atomics add in another order each time";
  const PairProblem problem = pair_problem_of(200, 33);
  const PairOutputs first = run_alignment(backend_, problem, 1);
  const PairOutputs second = run_alignment(backend_, problem, 1);
  EXPECT_TRUE(same_bits(second.grad_users, first.grad_users));
  EXPECT_TRUE(same_bits(second.grad_items, first.grad_items));
  EXPECT_TRUE(same_bits(second.losses, first.losses));
}

TEST_P(AlignmentUniformity, RefusesOptions) {
  const PairProblem problem = pair_problem_of(3, 2);
  for (const double weight : {-1.0, std::nan("")}) {
    EXPECT_THROW(run_alignment(backend_, problem, weight), ConfigError);
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, AlignmentUniformity,
                         testing::ValuesIn(backends_of_batches_under_test()), backend_name);

}  // namespace
}  // namespace tern::test
