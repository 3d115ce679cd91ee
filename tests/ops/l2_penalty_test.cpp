#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "tern/error.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/graphs.hpp"
#include "tests/support/matrices.hpp"
#include "tests/support/sampling.hpp"

namespace tern::test {
namespace {

class L2Penalty : public BackendTest {
 protected:
  static Interactions small_graph() { return {3, 4, {0, 2, 3, 4}, {0, 1, 2, 3}}; }

  /// Compares every batch of an epoch with the formula.
  void check(const NamedGraph& named, std::int64_t width, double lambda,
             int negatives_per_positive = 1) {
    const Graph graph = backend_.make_graph(named.interactions);
    Triplets triplets = backend_.make_triplets(
        graph, {.negatives_per_positive = negatives_per_positive, .seed = Seed{3}},
        named.interactions.size() / 2 + 1);
    backend_.sample(triplets, 0);
    const NodeId num_users = named.interactions.num_users();
    const NodeId num_items = named.interactions.num_items();
    for (std::int64_t batch = 0; batch < triplets.num_batches(); ++batch) {
      const std::string where =
          named.name + ", D " + std::to_string(width) + ", batch " + std::to_string(batch);
      const std::vector<Triplet> members = batch_of(backend_, triplets, batch);
      Matrix losses = make_poisoned(backend_, 2, triplets.num_batches());
      const auto size = static_cast<double>(members.size());
      Comparison loss{.actual = {}, .expected = {0}, .magnitude = {0}};

      // One side's rows, its gradient before the call, and the expected sum.
      struct Table {
        Side side;
        std::vector<bool> marks;
        Values rows;
        Comparison gradient;
      };
      const auto table = [&](Side side, NodeId num_nodes) {
        const std::vector<NodeId> occurrences = rows_of(members, side);
        Table t{.side = side,
                .marks = marks(num_nodes, occurrences),
                .rows = random_values(num_nodes * width, 6),
                .gradient = {}};
        t.rows = poison_rows(t.rows, width, t.marks);
        Values& gradient = t.gradient.expected;
        gradient = random_values(num_nodes * width, 7);
        t.gradient.actual = gradient;                       // before the call
        t.gradient.magnitude = Values(gradient.size(), 0);  // 0: other rows keep every bit
        t.gradient.cols = width;
        for (std::size_t i = 0; i < gradient.size(); ++i) {
          if (t.marks[i / width]) t.gradient.magnitude[i] = std::abs(gradient[i]);
        }
        for (const NodeId row : occurrences) {
          for (std::int64_t i = row * width; i < (row + 1) * width; ++i) {
            gradient[i] += lambda / size * t.rows[i];
            t.gradient.magnitude[i] += std::abs(lambda / size * t.rows[i]);
            loss.expected[0] += lambda / (2 * size) * t.rows[i] * t.rows[i];
          }
        }
        if (GetParam().adds_one_by_one) {  // one rounding an occurrence, all alike
          Values times(static_cast<std::size_t>(num_nodes), 0);
          for (const NodeId row : occurrences) ++times[row];
          for (std::size_t i = 0; i < gradient.size(); ++i) {
            t.gradient.magnitude[i] *= times[i / width];
          }
        }
        return t;
      };
      Table users = table(Side::kUser, num_users);
      Table items = table(Side::kItem, num_items);
      Matrix grad_users = make_matrix(backend_, num_users, width, users.gradient.actual);
      Matrix grad_items = make_matrix(backend_, num_items, width, items.gradient.actual);
      backend_.l2_penalty(triplets, lambda, make_matrix(backend_, num_users, width, users.rows),
                          make_matrix(backend_, num_items, width, items.rows), grad_users,
                          grad_items, losses);

      users.gradient.actual = values_of(backend_, grad_users);
      items.gradient.actual = values_of(backend_, grad_items);
      EXPECT_TRUE(within_bound(users.gradient, 8, epsilon())) << where;
      EXPECT_TRUE(within_bound(items.gradient, 8, epsilon())) << where;
      loss.magnitude = loss.expected;
      Values all = values_of(backend_, losses);
      loss.actual = {std::exchange(all[triplets.num_batches() + batch], std::nan(""))};
      // A row that occurs many times may round the same way each time. In f64 the bound of the
      // worst case, one unit a term, is still tight.
      const double terms = 3 * size * static_cast<double>(width);
      const double factor = epsilon() == 0x1p-53 ? terms : summation_factor(terms);
      EXPECT_TRUE(within_bound(loss, factor, epsilon())) << where;
      for (const double other : all) EXPECT_TRUE(std::isnan(other)) << where;
      backend_.next_batch(triplets);
    }
  }
};

TEST_P(L2Penalty, MatchesHandComputation) {
  // The second of two batches of two triplets: user 0 twice, item 1 three times, item 3 once.
  const Graph graph = backend_.make_graph(small_graph());
  Triplets triplets = backend_.make_triplets(graph, {}, 2);
  backend_.set_triplets(triplets, std::vector<Triplet>{{2, 2, 2}, {2, 2, 2}, {0, 1, 1}, {0, 1, 3}});
  backend_.next_batch(triplets);
  const Matrix users = make_matrix(backend_, 3, 1, Values{2, 7, 7});
  const Matrix items = make_matrix(backend_, 4, 1, Values{7, 3, 7, -1});
  Matrix grad_users = make_matrix(backend_, 3, 1, Values{10, 20, 30});
  Matrix grad_items = make_matrix(backend_, 4, 1, Values{1, 2, 3, 4});
  Matrix losses = make_matrix(backend_, 2, 2, Values{5, 5, 5, 5});
  backend_.l2_penalty(triplets, 0.5, users, items, grad_users, grad_items, losses);
  // λ/B = 1/4; λ/(2B) Σ = 1/8 (2·4 + 3·9 + 1). All are exact in binary.
  EXPECT_TRUE(same_bits(values_of(backend_, losses), {5, 5, 5, 4.5}));
  EXPECT_TRUE(same_bits(values_of(backend_, grad_users), {11, 20, 30}));
  EXPECT_TRUE(same_bits(values_of(backend_, grad_items), {1, 4.25, 3, 3.75}));
}

TEST_P(L2Penalty, OfPairsMatchesHandComputation) {
  // The second of two batches of two pairs: user 0 twice, items 1 and 3 once.
  const Graph graph = backend_.make_graph(small_graph());
  Triplets pairs = backend_.make_triplets(graph, {.negatives_per_positive = 0}, 2);
  backend_.set_triplets(pairs,
                        std::vector<Triplet>{{2, 2, -1}, {2, 2, -1}, {0, 1, -1}, {0, 3, -1}});
  backend_.next_batch(pairs);
  const double nan = std::nan("");  // in rows that must not be read
  const Matrix users = make_matrix(backend_, 3, 1, Values{2, nan, nan});
  const Matrix items = make_matrix(backend_, 4, 1, Values{nan, 3, nan, -1});
  Matrix grad_users = make_matrix(backend_, 3, 1, Values{10, 20, 30});
  Matrix grad_items = make_matrix(backend_, 4, 1, Values{1, 2, 3, 4});
  Matrix losses = make_matrix(backend_, 2, 2, Values{5, 5, 5, 5});
  backend_.l2_penalty(pairs, 0.5, users, items, grad_users, grad_items, losses);
  // λ/B = 1/4; λ/(2B) Σ = 1/8 (2·4 + 9 + 1). All are exact in binary.
  EXPECT_TRUE(same_bits(values_of(backend_, losses), {5, 5, 5, 2.25}));
  EXPECT_TRUE(same_bits(values_of(backend_, grad_users), {11, 20, 30}));
  EXPECT_TRUE(same_bits(values_of(backend_, grad_items), {1, 2.75, 3, 3.75}));
}

TEST_P(L2Penalty, MatchesTheFormulaOnTheBattery) {
  for (const NamedGraph& graph : graph_battery(GetParam().budget)) {
    if (!can_sample(graph.interactions)) continue;
    for (const std::int64_t width : graph.widths) check(graph, width, 0x1p-7);
    check(graph, graph.widths.front(), 0);
    check(graph, graph.widths.back(), 0x1p-7, 0);
  }
}

TEST_P(L2Penalty, RefusesWrongShapesAndLambdas) {
  const Graph graph = backend_.make_graph(small_graph());
  Triplets triplets = backend_.make_triplets(graph, {}, 3);
  const Matrix users = backend_.allocate(3, 2);
  const Matrix items = backend_.allocate(4, 2);
  Matrix grad_users = backend_.allocate(3, 2);
  Matrix grad_items = backend_.allocate(4, 2);
  Matrix losses = backend_.allocate(2, 2);
  Matrix none;
  Matrix wide = backend_.allocate(3, 3);
  const auto refuses = [&](const Matrix& u, const Matrix& i, Matrix& gu, Matrix& gi, Matrix& l) {
    EXPECT_THROW(backend_.l2_penalty(triplets, 0.1, u, i, gu, gi, l), ShapeError);
  };
  refuses(users, items, grad_users, grad_items, losses);  // nothing sampled yet
  backend_.sample(triplets, 0);
  backend_.l2_penalty(triplets, 0.1, users, items, grad_users, grad_items, losses);
  refuses(wide, items, grad_users, grad_items, losses);
  refuses(users, users, grad_users, grad_items, losses);
  refuses(users, items, wide, grad_items, losses);
  refuses(users, items, grad_users, grad_users, losses);
  refuses(users, items, grad_users, grad_items, wide);
  refuses(none, items, grad_users, grad_items, losses);
  refuses(foreign_matrix(3, 2), items, grad_users, grad_items, losses);
  Triplets no_triplets;
  EXPECT_THROW(backend_.l2_penalty(no_triplets, 0.1, users, items, grad_users, grad_items, losses),
               ShapeError);
  for (const double lambda : {-0.1, std::nan(""), std::numeric_limits<double>::infinity()}) {
    EXPECT_THROW(
        backend_.l2_penalty(triplets, lambda, users, items, grad_users, grad_items, losses),
        ConfigError);
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, L2Penalty, testing::ValuesIn(backends_of_batches_under_test()),
                         backend_name);

}  // namespace
}  // namespace tern::test
