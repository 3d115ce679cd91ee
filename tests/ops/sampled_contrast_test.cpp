#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tern/error.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/contrasts.hpp"
#include "tests/support/graphs.hpp"
#include "tests/support/matrices.hpp"
#include "tests/support/sampling.hpp"

namespace tern::test {
namespace {

using ContrastOptions = SampledContrastOptions;
/// The most elements of a table in the battery: the plain reference with 3 negatives a pair is slow.
constexpr std::int64_t kMaxElements = std::int64_t{1} << 19;
constexpr auto kSoftmaxContrast = SampledContrastKind::kSoftmax;
constexpr auto kCosineContrast = SampledContrastKind::kCosineContrastive;

double contrast_norm(const Values& rows, NodeId node, std::int64_t width) {
  double square = 0;
  for (std::int64_t d = 0; d < width; ++d) square += std::pow(rows[node * width + d], 2);
  return std::max(std::sqrt(square), 1e-12);
}

/// A margin in the widest gap between the cosines of the middle half, so that rounding takes none of
/// them across; far from all of them if there is no gap.
double contrast_margin(const ContrastProblem& problem) {
  const std::int64_t width = problem.width;
  std::vector<double> cosines;
  for (const auto& [user, positive, negative] : problem.triplets) {
    double dot = 0;
    for (std::int64_t d = 0; d < width; ++d) {
      dot += problem.users[user * width + d] * problem.items[negative * width + d];
    }
    cosines.push_back(dot / contrast_norm(problem.users, user, width) /
                      contrast_norm(problem.items, negative, width));
  }
  std::sort(cosines.begin(), cosines.end());
  const std::size_t size = cosines.size();
  for (const auto& [first, last] : {std::pair{size / 4, size - 1 - size / 4}, {0, size - 1}}) {
    double widest = 1e-4;
    double margin = -2;
    for (std::size_t i = first; i < last; ++i) {
      const double gap = cosines[i + 1] - cosines[i];
      if (gap <= widest) continue;
      widest = gap;
      margin = (cosines[i] + cosines[i + 1]) / 2;
    }
    if (margin >= -1) return margin;
  }
  return cosines.front() > 0 ? cosines.front() - 0.5 : cosines.back() + 0.5;
}

/// Bounds of the rounding errors of one batch: Σ|terms| times the errors of unit rows and, for
/// softmax, of shares, which an error δ of a cosine changes by at most 2δ/τ times themselves.
struct ContrastBounds {
  Values grad_users, grad_items;
  double loss = 0;
};

ContrastBounds contrast_bounds_of(const ContrastProblem& problem, const std::vector<Triplet>& batch,
                                  const ContrastOptions& options) {
  const std::int64_t width = problem.width;
  ContrastBounds bounds{Values(problem.users.size()), Values(problem.items.size())};
  const bool softmax = options.kind == kSoftmaxContrast;
  const double pairs = static_cast<double>(batch.size()) / problem.negatives;
  const double cosine = summation_factor(static_cast<double>(width)) + 4;
  const double slope = softmax ? 1 / options.temperature : 1;
  const double error = 2 * (summation_factor(static_cast<double>(batch.size())) + cosine +
                            (softmax ? 2 * cosine / options.temperature : 0));
  // A softmax gives at most t₂ to one negative, the other loss w/M to each.
  const double push = options.negative_weight * (softmax ? slope : 1.0 / problem.negatives) / pairs;
  const auto grow = [&](Values& magnitude, const Values& rows, NodeId node, double weight) {
    const double by = weight * error / contrast_norm(rows, node, width);
    for (std::int64_t d = 0; d < width; ++d) magnitude[node * width + d] += by;
  };
  for (std::size_t t = 0; t < batch.size(); ++t) {
    const auto& [user, positive, negative] = batch[t];
    grow(bounds.grad_items, problem.items, negative, push);
    if (t % static_cast<std::size_t>(problem.negatives) != 0) continue;
    grow(bounds.grad_items, problem.items, positive, slope / pairs);
    grow(bounds.grad_users, problem.users, user, (1 + options.negative_weight) * slope / pairs);
  }
  bounds.loss = (1 + options.negative_weight) * slope *
                (2 * cosine + summation_factor(pairs) * (2 + std::log(problem.negatives)));
  return bounds;
}

class SampledContrast : public BackendTest {
 protected:
  void check(const ContrastProblem& problem, const ContrastOptions& options) {
    SCOPED_TRACE("pairs " + std::to_string(problem.graph.size()) + ", M " +
                 std::to_string(problem.negatives) + ", batch " + std::to_string(problem.batch) +
                 ", D " + std::to_string(problem.width) + ", kind " +
                 std::to_string(static_cast<int>(options.kind)));
    const std::vector<ContrastOutputs> actual = run_contrast(backend_, problem, options);
    const std::vector<ContrastOutputs> expected = run_contrast(reference_, problem, options);
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t b = 0; b < actual.size(); ++b) {
      SCOPED_TRACE("batch " + std::to_string(b));
      const auto first = static_cast<std::int64_t>(b) * problem.batch;
      const auto last = std::min<std::int64_t>(first + problem.batch, problem.triplets.size());
      const std::vector<Triplet> batch{problem.triplets.begin() + first,
                                       problem.triplets.begin() + last};
      const ContrastBounds bounds = contrast_bounds_of(problem, batch, options);
      const auto compare = [&](const Values& got, const Values& wanted, const Values& magnitude,
                               Side side, NodeId nodes) {
        return within_bound({.actual = got,
                             .expected = wanted,
                             .magnitude = magnitude,
                             .cols = problem.width,
                             .written = marks(nodes, rows_of(batch, side))},
                            1, epsilon());
      };
      EXPECT_TRUE(compare(actual[b].grad_users, expected[b].grad_users, bounds.grad_users,
                          Side::kUser, problem.graph.num_users()));
      EXPECT_TRUE(compare(actual[b].grad_items, expected[b].grad_items, bounds.grad_items,
                          Side::kItem, problem.graph.num_items()));
      for (std::size_t i = 0; i < actual[b].losses.size(); ++i) {
        if (i == b) {
          EXPECT_NEAR(actual[b].losses[i], expected[b].losses[i], epsilon() * bounds.loss);
        } else {
          EXPECT_TRUE(std::isnan(actual[b].losses[i])) << "written: " << i;
        }
      }
    }
  }

  void check_both(const ContrastProblem& problem, double temperature = 0.12) {
    check(problem, {.temperature = temperature, .negative_weight = 0.84});
    check(problem,
          {.kind = kCosineContrast, .margin = contrast_margin(problem), .negative_weight = 2.5});
  }
};

/// One pair, (0, 0), with the negatives 1, 2, 2; unit rows on the axes and at 60 degrees.
ContrastProblem contrast_by_hand() {
  return {{1, 3, {0, 1}, {0}},
          {{0, 0, 1}, {0, 0, 2}, {0, 0, 2}},
          3,
          3,
          2,
          {2, 0},
          {0, 4, 1, std::sqrt(3.0), 5, 0}};
}

TEST_P(SampledContrast, MatchesHandComputationOfSoftmax) {
  // s⁺ = 0; s = 1/2, 1, 1; with τ = 1/2, t₂ = 3/4: logits 1, 2, 2.
  const ContrastOutputs out =
      run_contrast(backend_, contrast_by_hand(), {.temperature = 0.5, .negative_weight = 0.75})[0];
  const double sum = std::exp(1) + 2 * std::exp(2);
  EXPECT_NEAR(out.losses[0], 0.75 * std::log(sum), 64 * epsilon());
  EXPECT_TRUE(std::isnan(out.losses[1]));
  const double near = 0.75 / 0.5 * std::exp(1) / sum;     // ∂/∂s of item 1
  const double far = 0.75 / 0.5 * 2 * std::exp(2) / sum;  // of item 2, twice
  const double root = std::sqrt(3.0);
  // ∂/∂û = -2 p̂ + near n̂₁ + far n̂₂, across û = (1, 0) and over 2.
  const Values of_users{0, (-2 + near * root / 2) / 2};
  // p̂ = (0, 1): -2 û over 4. n̂₁ = (1/2, √3/2): û across it is (3/4, -√3/4), over 2. n̂₂ = û: 0.
  const Values of_items{-2.0 / 4, 0, near * 0.75 / 2, -near * root / 4 / 2, 0, 0};
  const auto expect = [&](const Values& actual, const Values& wanted) {
    EXPECT_TRUE(within_bound({.actual = actual,
                              .expected = wanted,
                              .magnitude = Values(wanted.size(), 1 + near + far),
                              .cols = 2},
                             64, epsilon()));
  };
  expect(out.grad_users, of_users);
  expect(out.grad_items, of_items);
}

TEST_P(SampledContrast, MatchesHandComputationOfTheCosineContrastiveLoss) {
  // Items on the axes: s⁺ = 0, s = 1, 1/2 exactly (by (1, 1, 1, 1)), 1; m = 1/2, w = 6: 1/2 is no more
  // than the margin and adds nothing.
  const ContrastProblem problem{{1, 3, {0, 1}, {0}}, {{0, 0, 1}, {0, 0, 2}, {0, 0, 1}},   3, 3, 4,
                                {2, 0, 0, 0},        {0, 4, 0, 0, 8, 0, 0, 0, 1, 1, 1, 1}};
  const ContrastOutputs out = run_contrast(
      backend_, problem, {.kind = kCosineContrast, .margin = 0.5, .negative_weight = 6})[0];
  EXPECT_NEAR(out.losses[0], 1 + 6.0 / 3 * (0.5 + 0.5), 64 * epsilon());
  // ∂/∂û = -p̂ + 2 · 2 n̂₁, across û, over 2; p: -û over 4; n₁ is along û; n₂ adds nothing.
  const Values of_users{0, -1.0 / 2, 0, 0};
  const Values of_items{-1.0 / 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  for (std::size_t i = 0; i < of_users.size(); ++i) {
    EXPECT_NEAR(out.grad_users[i], of_users[i], 64 * epsilon()) << i;
  }
  for (std::size_t i = 0; i < of_items.size(); ++i) {
    EXPECT_NEAR(out.grad_items[i], of_items[i], 64 * epsilon()) << i;
  }
}

TEST_P(SampledContrast, MatchesTheReferenceOnTheBattery) {
  for (const NamedGraph& named : graph_battery(std::min(GetParam().budget / 8, kMaxElements))) {
    if (!can_sample(named.interactions)) continue;
    for (const std::int64_t width : named.widths) {
      SCOPED_TRACE(named.name);
      ContrastProblem problem{named.interactions, {}, 3, 0, width, {}, {}};
      problem.batch = (named.interactions.size() / 2 + 1) * 3;
      const Graph graph = reference_.make_graph(problem.graph);
      Triplets triplets =
          reference_.make_triplets(graph, {.negatives_per_positive = 3}, problem.batch);
      reference_.sample(triplets, 1);
      problem.triplets = reference_.get_triplets(triplets);
      problem.users = random_values(problem.graph.num_users() * width, 6);
      problem.items = random_values(problem.graph.num_items() * width, 7);
      check_both(problem);
    }
  }
}

TEST_P(SampledContrast, MatchesTheReferenceForEveryBatch) {
  for (const int negatives : {1, 3, 4, 64}) {
    for (const auto& [pairs, batch] : {std::pair{1, 1}, {7, 4}, {40, 33}, {130, 128}}) {
      for (const std::int64_t width : {1, 3, 16, 64, 130}) {
        if (pairs * negatives * width * 16 > GetParam().budget) continue;
        check_both(contrast_problem_of(pairs, negatives, batch, width));
      }
    }
  }
}

TEST_P(SampledContrast, NothingOverflowsOrVanishes) {
  for (const double temperature : {0.01, 0.1, 10.0}) {
    for (const double scale : {1e-20, 1e-6, 1.0, 1e20}) {
      SCOPED_TRACE("temperature " + std::to_string(temperature) + ", scale " +
                   std::to_string(scale));
      ContrastProblem problem = contrast_problem_of(11, 5, 8, 16, scale);
      check_both(problem, temperature);
      // All rows equal.
      for (Values* rows : {&problem.users, &problem.items}) {
        for (std::size_t i = 16; i < rows->size(); ++i) (*rows)[i] = (*rows)[i % 16];
      }
      check_both(problem, temperature);
    }
  }
}

TEST_P(SampledContrast, ZeroRowsHaveAFiniteGradient) {
  ContrastProblem problem = contrast_problem_of(20, 3, 20, 5);
  std::fill_n(problem.users.begin() + 5, 10, 0.0);
  std::fill_n(problem.items.begin() + 5, 5, 0.0);
  check_both(problem);
}

TEST_P(SampledContrast, RowsOfManyOccurrencesAreSummedInOneOrder) {
  // One user in every pair, and one item the negative of every pair.
  ContrastProblem problem = contrast_problem_of(90, 2, 80, 20);
  for (std::size_t t = 0; t < problem.triplets.size(); ++t) {
    problem.triplets[t].user = 1;
    if (t % 2 == 1) problem.triplets[t].negative = 4;
  }
  check_both(problem);
  if (!GetParam().repeats) return;
  const ContrastOptions options{.temperature = 0.2};
  expect_contrast_repeats(backend_, problem, options);
}

TEST_P(SampledContrast, KeepsNaN) {
  ContrastProblem problem = contrast_problem_of(8, 3, 8, 5);
  problem.items[5 * problem.triplets[1].negative] = std::nan("");
  for (const auto kind : {kSoftmaxContrast, kCosineContrast}) {
    const ContrastOutputs out = run_contrast(backend_, problem, {.kind = kind, .margin = 0.9})[0];
    EXPECT_TRUE(std::isnan(out.losses[0]));
    EXPECT_TRUE(std::isnan(out.grad_users[5 * problem.triplets[1].user]));
  }
}

TEST_P(SampledContrast, RefusesOptionsAndShapes) {
  ContrastProblem problem = contrast_problem_of(6, 2, 3, 2);
  for (const ContrastOptions& options :
       {ContrastOptions{.temperature = 0}, ContrastOptions{.temperature = std::nan("")},
        ContrastOptions{.margin = 1.5}, ContrastOptions{.margin = std::nan("")},
        ContrastOptions{.negative_weight = -1}}) {
    EXPECT_THROW(run_contrast(backend_, problem, options), ConfigError);
  }
  problem.batch = 3;  // one pair and a half
  EXPECT_THROW(run_contrast(backend_, problem, {}), ShapeError);
  problem.negatives = 0;
  problem.triplets.resize(static_cast<std::size_t>(problem.graph.size()));
  for (Triplet& triplet : problem.triplets) triplet.negative = kNoItem;
  EXPECT_THROW(run_contrast(backend_, problem, {}), ShapeError);
}

INSTANTIATE_TEST_SUITE_P(Backends, SampledContrast,
                         testing::ValuesIn(backends_of_batches_under_test()), backend_name);

}  // namespace
}  // namespace tern::test
