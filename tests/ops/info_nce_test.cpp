#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "tern/error.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/matrices.hpp"
#include "tests/support/pairs.hpp"

namespace tern::test {
namespace {

/// Two views of one side's nodes, and what their gradients hold before the call. The pairs of
/// `problem` are the batch; its tables are not used.
struct ViewsProblem {
  PairProblem problem;
  Side side;
  Values views, others;
  Values before;  // NaN in the rows that the op must leave

  std::int64_t width() const { return problem.width; }
  NodeId num_nodes() const {
    return side == Side::kUser ? problem.graph.num_users() : problem.graph.num_items();
  }
  /// The distinct nodes of the batch's pairs.
  std::vector<NodeId> nodes() const {
    std::set<NodeId> distinct;
    for (const Triplet& pair : problem.pairs) {
      distinct.insert(side == Side::kUser ? pair.user : pair.positive);
    }
    return {distinct.begin(), distinct.end()};
  }
};

ViewsProblem views_problem_of(PairProblem problem, Side side, Values views, Values others,
                              double before = 0.25) {
  ViewsProblem made{std::move(problem), side, std::move(views), std::move(others), {}};
  made.before.assign(made.views.size(), std::numeric_limits<double>::quiet_NaN());
  for (const NodeId node : made.nodes()) {
    std::fill_n(made.before.begin() + node * made.width(), made.width(), before);
  }
  return made;
}

ViewsProblem random_views(std::int64_t size, std::int64_t width, Side side, double scale = 1.0) {
  PairProblem problem = pair_problem_of(size, width);
  const std::int64_t elements =
      (side == Side::kUser ? problem.graph.num_users() : problem.graph.num_items()) * width;
  return views_problem_of(std::move(problem), side, random_values(elements, 11, scale),
                          random_values(elements, 12, scale));
}

struct ViewsOutputs {
  Values grad_views, grad_others, losses;
};

ViewsOutputs run_info_nce(Backend& backend, const ViewsProblem& views,
                          const InfoNceOptions& options) {
  PairsOnBackend on(backend, views.problem);
  const std::int64_t width = views.width();
  const Matrix left = make_matrix(backend, views.num_nodes(), width, views.views);
  const Matrix right = make_matrix(backend, views.num_nodes(), width, views.others);
  Matrix losses = make_poisoned(backend, 4, 1);
  Matrix of_views = make_matrix(backend, views.num_nodes(), width, views.before);
  Matrix of_others = make_matrix(backend, views.num_nodes(), width, views.before);
  backend.info_nce(on.triplets, options, views.side, left, right, of_views, of_others, losses);
  return {values_of(backend, of_views), values_of(backend, of_others), values_of(backend, losses)};
}

/// Σ|terms| of a row's gradient with its factors. A row of shares has a sum of 1, a column of at most
/// the number of nodes; the own column adds 1.
Values info_nce_bounds(const ViewsProblem& views, const InfoNceOptions& options, bool of_views) {
  const Values& table = of_views ? views.views : views.others;
  const auto size = static_cast<double>(views.nodes().size());
  const double width_factor = summation_factor(static_cast<double>(views.width()));
  const double logit = (width_factor + 4) / options.temperature + 8 * std::log(size + 1);
  // A node's gradient is summed over its pairs by backends that do not make nodes distinct.
  const double error =
      summation_factor(static_cast<double>(views.problem.pairs.size())) + width_factor + 2 * logit;
  const double terms = of_views ? 2 : 1 + size;
  Values bounds(table.size());
  for (const NodeId node : views.nodes()) {
    for (std::int64_t d = 0; d < views.width(); ++d) {
      bounds[node * views.width() + d] = 1 + 2 * options.weight * terms /
                                                 (size * options.temperature) * error /
                                                 divisor_of(table, node, views.width());
    }
  }
  return bounds;
}

class InfoNce : public BackendTest {
 protected:
  void check(const ViewsProblem& views, const InfoNceOptions& options, const std::string& where) {
    const ViewsOutputs actual = run_info_nce(backend_, views, options);
    const ViewsOutputs expected = run_info_nce(reference_, views, options);
    const std::vector<bool> written = marks(views.num_nodes(), views.nodes());
    EXPECT_TRUE(within_bound({.actual = actual.grad_views,
                              .expected = expected.grad_views,
                              .magnitude = info_nce_bounds(views, options, true),
                              .cols = views.width(),
                              .written = written},
                             1, epsilon()))
        << where << ", views";
    EXPECT_TRUE(within_bound({.actual = actual.grad_others,
                              .expected = expected.grad_others,
                              .magnitude = info_nce_bounds(views, options, false),
                              .cols = views.width(),
                              .written = written},
                             1, epsilon()))
        << where << ", others";
    const auto size = static_cast<double>(views.nodes().size());
    const double logit =
        (summation_factor(static_cast<double>(views.width())) + 4) / options.temperature;
    const double bound = options.weight * (4 * logit + summation_factor(size) *
                                                           (2 / options.temperature + 8 + size));
    for (std::size_t row = 0; row < 4; ++row) {
      if (row == 2 + static_cast<std::size_t>(views.side)) {
        EXPECT_NEAR(actual.losses[row], expected.losses[row], epsilon() * bound) << where;
      } else {
        EXPECT_TRUE(std::isnan(actual.losses[row])) << where;
      }
    }
  }
};

TEST_P(InfoNce, MatchesHandComputation) {
  // User 0 occurs twice and counts once; unit rows on the axes, τ = 1/2.
  const ViewsProblem views = views_problem_of({{3, 4, {0, 2, 3, 3}, {0, 1, 2}},
                                               {{0, 0, 3}, {1, 2, 3}, {0, 1, 3}},
                                               2,
                                               Values(6, 1),
                                               Values(8, 1)},
                                              Side::kUser, {3, 0, 0, 5, 1, 1}, {2, 0, 0, 4, 1, 1});
  const ViewsOutputs out = run_info_nce(backend_, views, {.temperature = 0.5, .weight = 3});
  const double other = 1 / (std::exp(2.0) + 1);  // the share of the other node
  EXPECT_NEAR(out.losses[2], 3 * (std::log(std::exp(2.0) + 1) - 2), 256 * epsilon());
  EXPECT_TRUE(std::isnan(out.losses[3]));
  // ∂/∂x_0 = λ/(nτ) · other (y_1 - y_0), across x_0 and over its norm; ∂/∂y_0 likewise.
  const auto expect = [&](const Values& actual, double first, double second) {
    const Values wanted{0.25, 0.25 + first, 0.25 + second, 0.25};
    EXPECT_TRUE(within_bound({.actual = {actual.begin(), actual.begin() + 4},
                              .expected = wanted,
                              .magnitude = Values(4, 1),
                              .cols = 2},
                             64, epsilon()));
    EXPECT_TRUE(std::isnan(actual[4])) << "a user outside of the batch";
  };
  expect(out.grad_views, 3 * other / 3, 3 * other / 5);
  expect(out.grad_others, 3 * other / 2, 3 * other / 4);
}

TEST_P(InfoNce, TakesThePositiveItemsAndLeavesNegatives) {
  // Item 1 is a negative only; item 0 is positive in two pairs: one node, whose loss is 0.
  PairProblem problem{
      {2, 2, {0, 1, 2}, {0, 0}}, {{0, 0, 1}, {1, 0, 1}}, 2, {1, 0, 0, 1}, {1, 1, 1, 0}};
  const ViewsProblem views =
      views_problem_of(std::move(problem), Side::kItem, {1, 2, 3, 4}, {4, 3, 2, 1});
  const ViewsOutputs out = run_info_nce(backend_, views, {.temperature = 0.1, .weight = 1});
  EXPECT_NEAR(out.losses[3], 0, 256 * epsilon());
  EXPECT_NEAR(out.grad_views[0], 0.25, 256 * epsilon());
  EXPECT_TRUE(std::isnan(out.grad_views[2]));
  EXPECT_TRUE(std::isnan(out.grad_others[3]));
}

TEST_P(InfoNce, MatchesTheReferenceForEveryBatch) {
  for (const std::int64_t size : {1, 2, 3, 31, 33, 64, 65, 130, 300, 600, 2048}) {
    for (const std::int64_t width : {1, 3, 16, 64, 65, 130}) {
      if (size * size * width > std::min<std::int64_t>(GetParam().budget, 13'000'000)) continue;
      for (const Side side : {Side::kUser, Side::kItem}) {
        check(random_views(size, width, side), {.temperature = 0.2, .weight = 0.7},
              "B " + std::to_string(size) + ", D " + std::to_string(width) + ", side " +
                  std::to_string(static_cast<int>(side)));
      }
    }
  }
}

/// Batches with a short last one, rows that occur often, and others that are negatives only.
TEST_P(InfoNce, MatchesTheReferenceForEveryBatchOfAnEpoch) {
  const PairBattery battery(500, 90, 5);
  const auto results = [&](Backend& backend) {
    const Graph graph = backend.make_graph(battery.graph);
    Triplets triplets = battery_triplets(backend, graph, battery);
    Matrix losses = make_poisoned(backend, 4, triplets.num_batches());
    std::vector<Values> all;
    for (std::int64_t batch = 0; batch < triplets.num_batches(); ++batch) {
      for (const Side side : {Side::kUser, Side::kItem}) {
        const NodeId nodes = graph.num_nodes(side);
        const Matrix views = make_matrix(backend, nodes, 5, random_values(nodes * 5, 1));
        const Matrix others = make_matrix(backend, nodes, 5, random_values(nodes * 5, 2));
        Matrix grad_views = backend.allocate(nodes, 5);
        Matrix grad_others = backend.allocate(nodes, 5);
        backend.info_nce(triplets, {.temperature = 0.3}, side, views, others, grad_views,
                         grad_others, losses);
        all.push_back(values_of(backend, grad_views));
        all.push_back(values_of(backend, grad_others));
      }
      backend.next_batch(triplets);
    }
    all.push_back(values_of(backend, losses));
    return all;
  };
  const double terms = summation_factor(static_cast<double>(battery.batch_size));
  EXPECT_TRUE(same_results(results(backend_), results(reference_), 8 * terms / 0.3 * epsilon()));
}

TEST_P(InfoNce, NothingOverflowsOrVanishes) {
  for (const double temperature : {0.01, 0.1, 1.0, 10.0}) {
    for (const double scale : {1e-20, 1e-6, 1.0, 1e20}) {
      ViewsProblem views = random_views(33, 16, Side::kItem, scale);
      const std::string where =
          "temperature " + std::to_string(temperature) + ", scale " + std::to_string(scale);
      const InfoNceOptions options{.temperature = temperature};
      check(views, options, where);
      for (Values* rows : {&views.views, &views.others}) equalize_rows(*rows, 16);
      check(views, options, where + ", equal rows");
    }
  }
}

TEST_P(InfoNce, ZeroRowsHaveAFiniteGradient) {
  ViewsProblem views = random_views(31, 5, Side::kUser);
  std::fill_n(views.views.begin(), 10, 0.0);
  std::fill_n(views.others.begin() + 5, 5, 0.0);
  check(views, {.temperature = 0.2}, "zero rows");
}

TEST_P(InfoNce, AWeightOfZeroAddsNothing) {
  const ViewsProblem views = random_views(33, 7, Side::kUser);
  const ViewsOutputs out = run_info_nce(backend_, views, {.temperature = 0.2, .weight = 0});
  EXPECT_EQ(out.losses[2], 0);
  EXPECT_TRUE(same_bits(out.grad_views, views.before));
  EXPECT_TRUE(same_bits(out.grad_others, views.before));
}

TEST_P(InfoNce, RepeatsBitForBit) {
  if (!GetParam().repeats) GTEST_SKIP() << "float atomics add in another order each time";
  const ViewsProblem views = random_views(200, 33, Side::kItem);
  const ViewsOutputs first = run_info_nce(backend_, views, {.temperature = 0.2});
  const ViewsOutputs second = run_info_nce(backend_, views, {.temperature = 0.2});
  EXPECT_TRUE(same_bits(second.grad_views, first.grad_views));
  EXPECT_TRUE(same_bits(second.grad_others, first.grad_others));
  EXPECT_TRUE(same_bits(second.losses, first.losses));
}

TEST_P(InfoNce, RefusesOptionsAndShapes) {
  const ViewsProblem views = random_views(3, 2, Side::kUser);
  for (const InfoNceOptions& options :
       {InfoNceOptions{.temperature = 0}, InfoNceOptions{.temperature = std::nan("")},
        InfoNceOptions{.weight = -1}}) {
    EXPECT_THROW(run_info_nce(backend_, views, options), ConfigError);
  }
  PairsOnBackend on(backend_, views.problem);
  const NodeId nodes = views.num_nodes();
  const Matrix left = make_matrix(backend_, nodes, 2, views.views);
  const Matrix right = make_matrix(backend_, nodes, 2, views.others);
  Matrix gradient = make_poisoned(backend_, nodes, 2);
  Matrix other = make_poisoned(backend_, nodes, 2);
  Matrix losses = make_poisoned(backend_, 4, 1);
  Matrix two = make_poisoned(backend_, 2, 1);
  const auto call = [&](Side side, Matrix& grad_views, Matrix& terms) {
    backend_.info_nce(on.triplets, {}, side, left, right, grad_views, other, terms);
  };
  EXPECT_THROW(call(Side::kItem, gradient, losses), ShapeError) << "rows of the other side";
  EXPECT_THROW(call(Side::kUser, other, losses), ShapeError) << "one matrix for both gradients";
  EXPECT_THROW(call(Side::kUser, gradient, two), ShapeError) << "no row for its loss";
}

INSTANTIATE_TEST_SUITE_P(Backends, InfoNce, testing::ValuesIn(backends_of_batches_under_test()),
                         backend_name);

}  // namespace
}  // namespace tern::test
