#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>

#include "tern/error.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/graphs.hpp"
#include "tests/support/matrices.hpp"
#include "tests/support/sampling.hpp"

namespace tern::test {
namespace {

/// The outputs of bpr, gradients and losses, poisoned before the call.
struct Written {
  Written(Backend& backend, const Triplets& triplets, std::int64_t width)
      : grad_users(make_poisoned(backend, triplets.rows(Side::kUser).num_nodes(), width)),
        grad_items(make_poisoned(backend, triplets.rows(Side::kItem).num_nodes(), width)),
        losses(make_poisoned(backend, 2, triplets.num_batches())) {}

  Matrix grad_users;
  Matrix grad_items;
  Matrix losses;
};

/// Bounds of the rounding errors: Σ|terms| of loss and gradients, each with the factor of its sum.
/// A dot product's error moves σ by σ(1-σ) times as much, and softplus by σ times.
struct Bounds {
  Values grad_users;
  Values grad_items;
  double loss = 0;
};

Bounds bounds_of(std::span<const Triplet> batch, const Values& users, const Values& items,
                 std::int64_t width) {
  Bounds bounds{Values(users.size()), Values(items.size())};
  std::map<NodeId, double> user_count;
  std::map<NodeId, double> item_count;
  for (const auto& [user, positive, negative] : batch) {
    ++user_count[user];
    ++item_count[positive];
    ++item_count[negative];
  }
  const auto size = static_cast<double>(batch.size());
  for (const auto& [user, positive, negative] : batch) {
    const double* u = &users[user * width];
    const double* p = &items[positive * width];
    const double* n = &items[negative * width];
    double margin = 0;
    double dot = 0;
    for (std::int64_t d = 0; d < width; ++d) {
      margin += u[d] * (n[d] - p[d]);
      dot += std::abs(u[d]) * (std::abs(n[d]) + std::abs(p[d]));
    }
    dot *= summation_factor(static_cast<double>(width));
    const double sigma = 1 / (1 + std::exp(-margin));
    const double rest = 1 / (1 + std::exp(margin));
    bounds.loss += (std::log1p(std::exp(margin)) * summation_factor(size) + sigma * dot) / size;
    const auto term = [&](double count) {
      return (sigma * summation_factor(2 * count) + sigma * rest * dot) / size;
    };
    for (std::int64_t d = 0; d < width; ++d) {
      bounds.grad_users[user * width + d] +=
          term(user_count[user]) * (std::abs(n[d]) + std::abs(p[d]));
      bounds.grad_items[positive * width + d] += term(item_count[positive]) * std::abs(u[d]);
      bounds.grad_items[negative * width + d] += term(item_count[negative]) * std::abs(u[d]);
    }
  }
  return bounds;
}

class Bpr : public BackendTest {
 protected:
  /// The graph of the hand-checked cases: four interactions, so four triplets an epoch.
  static Interactions small_graph() { return {3, 4, {0, 2, 3, 4}, {0, 1, 2, 3}}; }

  /// Runs every batch of an epoch on both backends and compares.
  void check(const NamedGraph& named, std::int64_t width, double scale) {
    const SamplingOptions options{.seed = Seed{3}};
    const std::int64_t batch_size = named.interactions.size() / 3 + 1;
    const Graph graph = backend_.make_graph(named.interactions);
    const Graph oracle_graph = reference_.make_graph(named.interactions);
    Triplets triplets = backend_.make_triplets(graph, options, batch_size);
    Triplets oracle = reference_.make_triplets(oracle_graph, options, batch_size);
    reference_.sample(oracle, 0);
    backend_.set_triplets(triplets, reference_.get_triplets(oracle));
    const NodeId num_users = named.interactions.num_users();
    const NodeId num_items = named.interactions.num_items();
    for (std::int64_t batch = 0; batch < triplets.num_batches(); ++batch) {
      const std::string where =
          named.name + ", D " + std::to_string(width) + ", batch " + std::to_string(batch);
      const std::vector<Triplet> members = batch_of(reference_, oracle, batch);
      const std::vector<bool> user_marks = marks(num_users, rows_of(members, Side::kUser));
      const std::vector<bool> item_marks = marks(num_items, rows_of(members, Side::kItem));
      // Rows outside the batch hold NaN: they must not be read.
      const Values users =
          poison_rows(random_values(num_users * width, 4, scale), width, user_marks);
      const Values items =
          poison_rows(random_values(num_items * width, 5, scale), width, item_marks);
      Written actual(backend_, triplets, width);
      backend_.bpr(triplets, make_matrix(backend_, num_users, width, users),
                   make_matrix(backend_, num_items, width, items), actual.grad_users,
                   actual.grad_items, actual.losses);
      Written expected(reference_, oracle, width);
      reference_.bpr(oracle, make_matrix(reference_, num_users, width, users),
                     make_matrix(reference_, num_items, width, items), expected.grad_users,
                     expected.grad_items, expected.losses);

      const Bounds bounds = bounds_of(members, users, items, width);
      const auto compare = [&](const Matrix& got, const Matrix& wanted, const Values& magnitude,
                               const std::vector<bool>& written) {
        return within_bound({.actual = values_of(backend_, got),
                             .expected = values_of(reference_, wanted),
                             .magnitude = magnitude,
                             .cols = got.cols(),
                             .written = written},
                            1, epsilon());
      };
      EXPECT_TRUE(compare(actual.grad_users, expected.grad_users, bounds.grad_users, user_marks))
          << where;
      EXPECT_TRUE(compare(actual.grad_items, expected.grad_items, bounds.grad_items, item_marks))
          << where;
      // One element of the losses is written; seen as rows of one column, all others stay poisoned.
      Comparison losses{.actual = values_of(backend_, actual.losses),
                        .expected = values_of(reference_, expected.losses),
                        .magnitude = Values(2 * triplets.num_batches(), bounds.loss),
                        .cols = 1};
      losses.written =
          marks(2 * triplets.num_batches(), std::vector<NodeId>{static_cast<NodeId>(batch)});
      EXPECT_TRUE(within_bound(losses, 1, epsilon())) << where;
      backend_.next_batch(triplets);
      reference_.next_batch(oracle);
    }
  }
};

TEST_P(Bpr, MatchesHandComputation) {
  // One batch of four triplets; margins u·n - u·p are log 3 (σ = 3/4), 0 (1/2), 0, 0.
  const double log3 = static_cast<float>(std::log(3.0));
  const Graph graph = backend_.make_graph(small_graph());
  Triplets triplets = backend_.make_triplets(graph, {}, 4);
  backend_.set_triplets(triplets, std::vector<Triplet>{{0, 0, 1}, {1, 2, 3}, {1, 2, 3}, {0, 0, 0}});
  const Matrix users = make_matrix(backend_, 3, 1, Values{1, 2, std::nan("")});
  const Matrix items = make_matrix(backend_, 4, 1, Values{1, 1 + log3, 5, 5});
  Written out(backend_, triplets, 1);
  backend_.bpr(triplets, users, items, out.grad_users, out.grad_items, out.losses);

  const double sigma = 1 / (1 + std::exp(-log3));  // 3/4 but for the rounding of log 3
  const double log2 = std::log(2.0);
  Values losses = values_of(backend_, out.losses);
  EXPECT_NEAR(losses[0], (std::log1p(std::exp(log3)) + 3 * log2) / 4, 64 * epsilon());
  EXPECT_TRUE(std::isnan(losses[1]));
  // users: 0 gets 3/16·log 3 + 1/8·0; 1 gets twice 1/8·0.
  const Comparison grad_users{.actual = values_of(backend_, out.grad_users),
                              .expected = {sigma / 4 * log3, 0, 0},
                              .magnitude = {1, 1, 0},
                              .cols = 1,
                              .written = {true, true, false}};
  EXPECT_TRUE(within_bound(grad_users, 64, epsilon()));
  // items: 0 loses 3/16·1 and gains and loses 1/8; 1 gains 3/16; 2 loses and 3 gains 2·1/8·2.
  const Comparison grad_items{.actual = values_of(backend_, out.grad_items),
                              .expected = {-sigma / 4, sigma / 4, -0.5, 0.5},
                              .magnitude = {1, 1, 1, 1},
                              .cols = 1};
  EXPECT_TRUE(within_bound(grad_items, 64, epsilon()));
}

TEST_P(Bpr, MatchesTheReferenceOnTheBattery) {
  for (const NamedGraph& graph : graph_battery(GetParam().budget)) {
    if (!can_sample(graph.interactions)) continue;
    for (const std::int64_t width : graph.widths) check(graph, width, 1.0);
    check(graph, graph.widths.front(), 6.0);  // margins large enough for both tails of σ
  }
}

TEST_P(Bpr, StaysFiniteForHugeMargins) {
  const Graph graph = backend_.make_graph(small_graph());
  Triplets triplets = backend_.make_triplets(graph, {}, 1);
  backend_.set_triplets(triplets, std::vector<Triplet>{{0, 0, 1}, {0, 1, 0}, {0, 0, 1}, {0, 0, 1}});
  const Matrix users = make_matrix(backend_, 3, 1, Values{100, 0, 0});
  const Matrix items = make_matrix(backend_, 4, 1, Values{100, -100, 0, 0});
  Written out(backend_, triplets, 1);
  backend_.bpr(triplets, users, items, out.grad_users, out.grad_items, out.losses);
  EXPECT_EQ(values_of(backend_, out.losses)[0], 0) << "margin -20000: softplus vanishes";
  EXPECT_EQ(values_of(backend_, out.grad_users)[0], 0);
  EXPECT_EQ(values_of(backend_, out.grad_items)[0], 0);
  backend_.next_batch(triplets);
  backend_.bpr(triplets, users, items, out.grad_users, out.grad_items, out.losses);
  EXPECT_EQ(values_of(backend_, out.losses)[1], 20'000) << "margin 20000: softplus is the margin";
  EXPECT_EQ(values_of(backend_, out.grad_users)[0], 200);
  EXPECT_EQ(values_of(backend_, out.grad_items)[0], 100);
  EXPECT_EQ(values_of(backend_, out.grad_items)[1], -100);
}

TEST_P(Bpr, RepeatsBitForBit) {
  if (!GetParam().repeats) GTEST_SKIP() << "float atomics add in another order each time";
  const Graph graph = backend_.make_graph(random_interactions(50, 30, 0.3, 8));
  Triplets triplets = backend_.make_triplets(graph, {}, 200);
  backend_.sample(triplets, 1);
  const Matrix users = make_matrix(backend_, 50, 33, random_values(50 * 33, 1));
  const Matrix items = make_matrix(backend_, 30, 33, random_values(30 * 33, 2));
  Written first(backend_, triplets, 33);
  Written second(backend_, triplets, 33);
  for (Written* out : {&first, &second}) {
    backend_.bpr(triplets, users, items, out->grad_users, out->grad_items, out->losses);
  }
  EXPECT_TRUE(
      same_bits(values_of(backend_, first.grad_users), values_of(backend_, second.grad_users)));
  EXPECT_TRUE(
      same_bits(values_of(backend_, first.grad_items), values_of(backend_, second.grad_items)));
  EXPECT_TRUE(same_bits(values_of(backend_, first.losses), values_of(backend_, second.losses)));
}

TEST_P(Bpr, RefusesWrongShapes) {
  const Graph graph = backend_.make_graph(small_graph());
  Triplets triplets = backend_.make_triplets(graph, {}, 3);
  const Matrix users = backend_.allocate(3, 2);
  const Matrix items = backend_.allocate(4, 2);
  Matrix grad_users = backend_.allocate(3, 2);
  Matrix grad_items = backend_.allocate(4, 2);
  Matrix losses = backend_.allocate(2, 2);
  const auto refuses = [&](Triplets& t, const Matrix& u, const Matrix& i, Matrix& gu, Matrix& gi,
                           Matrix& l) {
    EXPECT_THROW(backend_.bpr(t, u, i, gu, gi, l), ShapeError);
  };
  refuses(triplets, users, items, grad_users, grad_items, losses);  // nothing sampled yet
  backend_.sample(triplets, 0);
  backend_.bpr(triplets, users, items, grad_users, grad_items, losses);  // valid as it is

  Matrix none;
  Matrix foreign_users = foreign_matrix(3, 2);
  Matrix foreign_items = foreign_matrix(4, 2);
  Matrix foreign_losses = foreign_matrix(2, 2);
  Matrix wide = backend_.allocate(3, 3);
  Matrix three = backend_.allocate(2, 3);
  Triplets no_triplets;
  Triplets foreign_triplets(std::make_unique<StrangerStorage>(), 4, 3, backend_.make_row_set(3, {}),
                            backend_.make_row_set(4, {}));
  refuses(no_triplets, users, items, grad_users, grad_items, losses);
  refuses(foreign_triplets, users, items, grad_users, grad_items, losses);
  refuses(triplets, items, items, grad_users, grad_items, losses);
  refuses(triplets, users, users, grad_users, grad_items, losses);
  refuses(triplets, wide, items, grad_users, grad_items, losses);
  refuses(triplets, users, items, wide, grad_items, losses);
  refuses(triplets, users, items, grad_items, grad_items, losses);
  refuses(triplets, users, items, grad_users, grad_users, losses);
  refuses(triplets, users, items, grad_users, grad_items, three);
  refuses(triplets, grad_users, items, grad_users, grad_items, losses);
  refuses(triplets, users, grad_items, grad_users, grad_items, losses);
  refuses(triplets, none, items, grad_users, grad_items, losses);
  refuses(triplets, users, none, grad_users, grad_items, losses);
  refuses(triplets, users, items, none, grad_items, losses);
  refuses(triplets, users, items, grad_users, none, losses);
  refuses(triplets, users, items, grad_users, grad_items, none);
  refuses(triplets, foreign_users, items, grad_users, grad_items, losses);
  refuses(triplets, users, foreign_items, grad_users, grad_items, losses);
  refuses(triplets, users, items, foreign_users, grad_items, losses);
  refuses(triplets, users, items, grad_users, foreign_items, losses);
  refuses(triplets, users, items, grad_users, grad_items, foreign_losses);
}

TEST_P(Bpr, RefusesPairs) {
  const Graph graph = backend_.make_graph(small_graph());
  Triplets pairs = backend_.make_triplets(graph, {.negatives_per_positive = 0}, 3);
  backend_.sample(pairs, 0);
  const Matrix users = backend_.allocate(3, 2);
  const Matrix items = backend_.allocate(4, 2);
  Written out(backend_, pairs, 2);
  try {
    backend_.bpr(pairs, users, items, out.grad_users, out.grad_items, out.losses);
    FAIL() << "not refused";
  } catch (const ShapeError& error) {
    EXPECT_STREQ(
        error.what(),
        "bpr: the triplets have no negatives; make them with negatives_per_positive from 1");
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, Bpr, testing::ValuesIn(backends_of_batches_under_test()),
                         backend_name);

}  // namespace
}  // namespace tern::test
