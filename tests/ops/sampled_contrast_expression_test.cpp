// sampled_contrast with the program of an expression: against the ops of the same losses, against the
// reference on the battery of graphs, and its refusals.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "tern/error.hpp"
#include "tern/expression.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/contrasts.hpp"
#include "tests/support/graphs.hpp"
#include "tests/support/matrices.hpp"
#include "tests/support/sampling.hpp"

namespace tern::test {
namespace {

constexpr auto kExpressionContrast = SampledContrastKind::kExpression;
constexpr auto kDotSimilarity = PairSimilarity::kDot;

/// An expression whose slopes by each score are at most `slope`, and change by at most `bend` with each.
struct SmoothExpression {
  const char* name;
  PairProgram program;
  double slope;
  double bend;
};

/// Without kinks, which a rounding error could cross. All functions but step, min and max take part, which
/// tests/backend compares.
std::vector<SmoothExpression> smooth_expressions() {
  const Expression p = Expression::positive();
  const Expression n = Expression::negative();
  return {
      {"bpr", mean(softplus(n - p)).compile(), 1, 1},
      {"softmax", (log(sum(exp(n))) - p).compile(), 1, 1},
      // Three sums, and all of them beside s⁺.
      {"three sums",
       (sqrt(1.0 + p * p) + mean(sigmoid(n * 0.5 - p)) -
        0.5 * mean(sqrt(1.0 + n * n)) / (1.0 + mean(n * n / 8.0)))
           .compile(),
       3, 6},
  };
}

double largest_norm(const Values& rows, std::int64_t width) {
  double largest = 0;
  for (std::size_t begin = 0; begin < rows.size(); begin += static_cast<std::size_t>(width)) {
    double square = 0;
    for (std::int64_t d = 0; d < width; ++d) square += rows[begin + d] * rows[begin + d];
    largest = std::max(largest, std::sqrt(square));
  }
  return largest;
}

double smallest_norm(const Values& rows, std::int64_t width) {
  double smallest = 1e300;
  for (std::size_t begin = 0; begin < rows.size(); begin += static_cast<std::size_t>(width)) {
    double square = 0;
    for (std::int64_t d = 0; d < width; ++d) square += rows[begin + d] * rows[begin + d];
    smallest = std::min(smallest, std::sqrt(square));
  }
  return smallest;
}

class SampledContrastExpression : public BackendTest {
 protected:
  /// Every batch against the other outputs. The bound of a row: each of its occurrences adds a slope times a
  /// row, with the errors of scores, which bend the slopes, and of the sum.
  void compare(const ContrastProblem& problem, const std::vector<ContrastOutputs>& actual,
               const std::vector<ContrastOutputs>& expected, PairSimilarity similarity,
               double slope, double bend) {
    const std::int64_t width = problem.width;
    const bool dot = similarity == kDotSimilarity;
    const double row =
        std::max(largest_norm(problem.users, width), largest_norm(problem.items, width));
    const double least =
        std::min(smallest_norm(problem.users, width), smallest_norm(problem.items, width));
    const double score = (summation_factor(static_cast<double>(width)) + 4) * (dot ? row * row : 1);
    const double factor = dot ? row : 1 / std::max(least, 1e-12);
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t b = 0; b < actual.size(); ++b) {
      const auto first = static_cast<std::int64_t>(b) * problem.batch;
      const auto last = std::min<std::int64_t>(first + problem.batch, problem.triplets.size());
      const std::vector<Triplet> batch{problem.triplets.begin() + first,
                                       problem.triplets.begin() + last};
      const double pairs = static_cast<double>(batch.size()) / problem.negatives;
      const double error =
          2 * factor / pairs *
          (slope * (summation_factor(static_cast<double>(2 * batch.size())) + score) +
           2 * bend * score);
      const auto near = [&](const Values& got, const Values& wanted, Side side, NodeId nodes) {
        const std::vector<NodeId> rows = rows_of(batch, side);
        Values magnitude(got.size());
        for (const NodeId node : rows) {
          for (std::int64_t d = 0; d < width; ++d) magnitude[node * width + d] += error;
        }
        return within_bound({.actual = got,
                             .expected = wanted,
                             .magnitude = magnitude,
                             .cols = width,
                             .written = marks(nodes, rows)},
                            1, epsilon());
      };
      EXPECT_TRUE(near(actual[b].grad_users, expected[b].grad_users, Side::kUser,
                       problem.graph.num_users()))
          << "batch " << b;
      EXPECT_TRUE(near(actual[b].grad_items, expected[b].grad_items, Side::kItem,
                       problem.graph.num_items()))
          << "batch " << b;
      for (std::size_t i = 0; i < actual[b].losses.size(); ++i) {
        if (i == b) {
          const double size = std::max(1.0, std::abs(expected[b].losses[i]));
          EXPECT_NEAR(actual[b].losses[i], expected[b].losses[i],
                      4 * epsilon() * (size + slope * problem.negatives * score));
        } else {
          EXPECT_TRUE(std::isnan(actual[b].losses[i])) << "written: " << i;
        }
      }
    }
  }

  void check(const ContrastProblem& problem, const std::vector<SmoothExpression>& expressions) {
    for (const SmoothExpression& expression : expressions) {
      for (const auto similarity : {PairSimilarity::kCosine, kDotSimilarity}) {
        SCOPED_TRACE(std::string(expression.name) + ", pairs " +
                     std::to_string(problem.graph.size()) + ", M " +
                     std::to_string(problem.negatives) + ", batch " +
                     std::to_string(problem.batch) + ", D " + std::to_string(problem.width) +
                     (similarity == kDotSimilarity ? ", dot" : ", cosine"));
        const SampledContrastOptions options{
            .kind = kExpressionContrast, .program = &expression.program, .similarity = similarity};
        compare(problem, run_contrast(backend_, problem, options),
                run_contrast(reference_, problem, options), similarity, expression.slope,
                expression.bend);
      }
    }
  }

  /// Rows of length about 1, so that dot products are those of trained embeddings.
  static ContrastProblem unit_problem(std::int64_t pairs, int negatives, std::int64_t batch,
                                      std::int64_t width) {
    return contrast_problem_of(pairs, negatives, batch, width,
                               1.7 / std::sqrt(static_cast<double>(width)));
  }
};

/// One pair, (0, 0), with the negatives 1, 2, 2, of dot products 1 and 1, 2, 2.
ContrastProblem expression_by_hand() {
  return {{1, 3, {0, 1}, {0}}, {{0, 0, 1}, {0, 0, 2}, {0, 0, 2}}, 3, 3, 2, {1, 0},
          {1, 4, 1, 2, 2, 3}};
}

TEST_P(SampledContrastExpression, MatchesHandComputation) {
  // f = s⁺ s⁺ + Σ s_k s⁺ = 1 + 5; ∂f/∂s⁺ = 2 + 5, ∂f/∂s_k = 1.
  const Expression p = Expression::positive();
  const PairProgram program = (p * p + sum(Expression::negative() * p)).compile();
  const ContrastOutputs out = run_contrast(
      backend_, expression_by_hand(),
      {.kind = kExpressionContrast, .program = &program, .similarity = kDotSimilarity})[0];
  EXPECT_NEAR(out.losses[0], 6, 64 * epsilon());
  EXPECT_TRUE(std::isnan(out.losses[1]));
  const Values of_users{7 * 1 + 1 + 2 + 2, 7 * 4 + 2 + 3 + 3};
  const Values of_items{7, 0, 1, 0, 2, 0};
  for (std::size_t i = 0; i < 2; ++i) EXPECT_NEAR(out.grad_users[i], of_users[i], 64 * epsilon());
  for (std::size_t i = 0; i < 6; ++i) EXPECT_NEAR(out.grad_items[i], of_items[i], 64 * epsilon());
}

TEST_P(SampledContrastExpression, IsBprForItsFormula) {
  for (const int negatives : {1, 7}) {
    const ContrastProblem problem = unit_problem(40, negatives, 33, 19);
    const PairProgram program =
        mean(softplus(Expression::negative() - Expression::positive())).compile();
    const auto bpr =
        run_sampled_loss(backend_, problem,
                         [&](Triplets& triplets, const Matrix& users, const Matrix& items,
                             Matrix& grad_users, Matrix& grad_items, Matrix& losses) {
                           backend_.bpr(triplets, users, items, grad_users, grad_items, losses);
                         });
    compare(problem,
            run_contrast(
                backend_, problem,
                {.kind = kExpressionContrast, .program = &program, .similarity = kDotSimilarity}),
            bpr, kDotSimilarity, 1, 1);
  }
}

TEST_P(SampledContrastExpression, IsTheCosineContrastiveLossForItsFormula) {
  // One backend has one cosine for both, so that none is on another side of the margin.
  const ContrastProblem problem = unit_problem(40, 7, 33, 19);
  const PairProgram program =
      (1.0 - Expression::positive() + 2.5 * mean(max(0.0, Expression::negative() - 0.25)))
          .compile();
  compare(problem,
          run_contrast(backend_, problem, {.kind = kExpressionContrast, .program = &program}),
          run_contrast(backend_, problem,
                       {.kind = SampledContrastKind::kCosineContrastive,
                        .margin = 0.25,
                        .negative_weight = 2.5}),
          PairSimilarity::kCosine, 2.5, 0);
}

TEST_P(SampledContrastExpression, MatchesTheReferenceOnTheBattery) {
  // One formula on small graphs: sampled_contrast_test.cpp has the same gathers on large ones.
  constexpr std::int64_t kMostElements = std::int64_t{1} << 15;
  const std::vector<SmoothExpression> three_sums{smooth_expressions().back()};
  for (const NamedGraph& named : graph_battery(std::min(GetParam().budget / 16, kMostElements))) {
    if (!can_sample(named.interactions)) continue;
    const std::int64_t width = named.widths.back();
    SCOPED_TRACE(named.name);
    ContrastProblem problem{named.interactions, {}, 3, 0, width, {}, {}};
    problem.batch = (named.interactions.size() / 2 + 1) * 3;
    const Graph graph = reference_.make_graph(problem.graph);
    Triplets triplets =
        reference_.make_triplets(graph, {.negatives_per_positive = 3}, problem.batch);
    reference_.sample(triplets, 1);
    problem.triplets = reference_.get_triplets(triplets);
    const double scale = 1.7 / std::sqrt(static_cast<double>(width));
    problem.users = random_values(problem.graph.num_users() * width, 6, scale);
    problem.items = random_values(problem.graph.num_items() * width, 7, scale);
    check(problem, three_sums);
  }
}

TEST_P(SampledContrastExpression, MatchesTheReferenceForEveryBatch) {
  const std::vector<SmoothExpression> all = smooth_expressions();
  for (const int negatives : {1, 3, 7, 64}) {
    for (const auto& [pairs, batch] : {std::pair{1, 1}, {7, 4}, {40, 33}, {130, 128}}) {
      for (const std::int64_t width : {2, 16, 130}) {
        if (pairs * negatives * width * 32 > GetParam().budget) continue;
        check(unit_problem(pairs, negatives, batch, width), all);
      }
    }
  }
}

TEST_P(SampledContrastExpression, RepeatsBitForBit) {
  if (!GetParam().repeats) GTEST_SKIP() << "float atomics add in another order each time";
  ContrastProblem problem = unit_problem(90, 2, 80, 20);
  for (std::size_t t = 0; t < problem.triplets.size(); ++t) {  // rows of many occurrences
    problem.triplets[t].user = 1;
    if (t % 2 == 1) problem.triplets[t].negative = 4;
  }
  const std::vector<SmoothExpression> all = smooth_expressions();
  const SampledContrastOptions options{
      .kind = kExpressionContrast, .program = &all.back().program, .similarity = kDotSimilarity};
  expect_contrast_repeats(backend_, problem, options);
}

TEST_P(SampledContrastExpression, KeepsNaN) {
  ContrastProblem problem = unit_problem(8, 3, 8, 5);
  problem.items[5 * problem.triplets[1].negative] = std::nan("");
  const PairProgram hinge =
      mean(max(0.0, 1.0 - Expression::positive() + Expression::negative())).compile();
  for (const auto similarity : {PairSimilarity::kCosine, kDotSimilarity}) {
    const ContrastOutputs out =
        run_contrast(backend_, problem,
                     {.kind = kExpressionContrast, .program = &hinge, .similarity = similarity})[0];
    EXPECT_TRUE(std::isnan(out.losses[0]));
    EXPECT_TRUE(std::isnan(out.grad_users[5 * problem.triplets[1].user]));
  }
}

TEST_P(SampledContrastExpression, RefusesOptionsThatDoNotBelongTogether) {
  ContrastProblem problem = unit_problem(6, 2, 3, 2);
  const PairProgram program = mean(Expression::negative()).compile();
  const SampledContrastOptions sound{.kind = kExpressionContrast, .program = &program};
  EXPECT_THROW(run_contrast(backend_, problem, {.kind = kExpressionContrast}), ConfigError);
  EXPECT_THROW(run_contrast(backend_, problem, {.program = &program}), ConfigError);
  for (const auto& damage : std::vector<std::function<void(PairProgram&)>>{
           [](PairProgram& p) { p.sums = PairProgram::kMaxSums + 1; },
           [](PairProgram& p) { p.ends[1] = PairProgram::kMaxInstructions + 1; },
           [](PairProgram& p) { p.ends[1] = p.ends[0]; },
           [](PairProgram& p) { p.code[p.ends[0]].sum = 1; },
           [](PairProgram& p) { p.code[0].op = PairOp::kAdd; }}) {
    PairProgram damaged = program;
    damage(damaged);
    EXPECT_THROW(
        run_contrast(backend_, problem, {.kind = kExpressionContrast, .program = &damaged}),
        ConfigError);
  }
  EXPECT_THROW(run_contrast(backend_, problem, {.similarity = kDotSimilarity}), ConfigError);
  const Matrix thresholds = backend_.allocate(1, problem.graph.num_users());
  SampledContrastOptions weighted = sound;
  weighted.pair_weight.thresholds = &thresholds;
  EXPECT_THROW(run_contrast(backend_, problem, weighted), ConfigError);
  problem.batch = 3;  // one pair and a half
  EXPECT_THROW(run_contrast(backend_, problem, sound), ShapeError);
  problem.negatives = 0;
  problem.triplets.resize(static_cast<std::size_t>(problem.graph.size()));
  for (Triplet& triplet : problem.triplets) triplet.negative = kNoItem;
  EXPECT_THROW(run_contrast(backend_, problem, sound), ShapeError);
}

INSTANTIATE_TEST_SUITE_P(Backends, SampledContrastExpression,
                         testing::ValuesIn(backends_of_batches_under_test()), backend_name);

}  // namespace
}  // namespace tern::test
