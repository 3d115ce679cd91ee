#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <memory>
#include <string>

#include "tern/error.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/graphs.hpp"
#include "tests/support/matrices.hpp"

namespace tern::test {
namespace {

/// The options that a call uses; the row sets hold about half of the rows.
struct Combination {
  bool to = false;
  bool from = false;
  bool addend = false;
  bool addend_rows = false;
  double scale = 1;
  Normalization normalization = Normalization::kDegree;
};

/// All choices of sets and addend, with and without a scale in turn.
std::vector<Combination> all_combinations() {
  std::vector<Combination> all;
  for (int bits = 0; bits < 16; ++bits) {
    Combination c{(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0};
    if (c.addend_rows && !c.addend) continue;
    if (all.size() % 2 == 1) c.scale = -0.25;
    for (const auto n : {Normalization::kDegree, Normalization::kNone, Normalization::kGiven}) {
      c.normalization = n;
      all.push_back(c);
    }
  }
  all.push_back({.scale = 3});
  all.push_back({.to = true, .from = true, .addend = true, .addend_rows = true});
  return all;
}

std::string describe(const std::string& name, Side to, std::int64_t width, const Combination& c) {
  return name + (to == Side::kUser ? " to users" : " to items") + ", D " + std::to_string(width) +
         (c.to ? ", to" : "") + (c.from ? ", from" : "") + (c.addend ? ", addend" : "") +
         (c.addend_rows ? ", addend_rows" : "") +
         (c.normalization == Normalization::kNone    ? ", no normalization"
          : c.normalization == Normalization::kGiven ? ", given scales"
                                                     : "") +
         ", scale " + std::to_string(c.scale);
}

/// A graph of the battery on both backends, and the neighbours of either side.
struct Loaded {
  Loaded(const NamedGraph& named, Backend& backend, Backend& reference)
      : name(named.name),
        neighbours{named.interactions, named.interactions.transposed()},
        graph(backend.make_graph(named.interactions)),
        reference_graph(reference.make_graph(named.interactions)) {}

  std::string name;
  std::array<Interactions, 2> neighbours;  // by Side
  Graph graph;
  Graph reference_graph;
};

class Propagate : public BackendTest {
 protected:
  /// Scales of a side's nodes, not negative; NaN outside the rows of a set, which must not be read.
  static Matrix make_scales(Backend& backend, NodeId nodes, std::uint64_t seed, bool some) {
    Values scales = absolute(random_values(nodes, seed));
    if (some) scales = poison_rows(scales, 1, marks(nodes, random_rows(nodes, seed, 0.5)));
    return make_matrix(backend, 1, nodes, scales);
  }

  /// Runs the op on a backend; y is poisoned before.
  static Values run(Backend& backend, const Graph& graph, Side to, std::int64_t width,
                    const Values& x, const Values& addend, const Combination& c) {
    const NodeId num_to = graph.num_nodes(to);
    const NodeId num_from = graph.num_nodes(opposite(to));
    const Matrix in = make_matrix(backend, num_from, width, x);
    Matrix added;
    if (c.addend) added = make_matrix(backend, num_to, width, addend);
    Matrix out = make_poisoned(backend, num_to, width);
    const RowSet to_rows = backend.make_row_set(num_to, random_rows(num_to, 11, 0.5));
    const RowSet from_rows = backend.make_row_set(num_from, random_rows(num_from, 12, 0.5));
    const RowSet added_rows = backend.make_row_set(num_to, random_rows(num_to, 13, 0.5));
    const bool given = c.normalization == Normalization::kGiven;
    const Matrix to_scales = make_scales(backend, num_to, 11, c.to);
    const Matrix from_scales = make_scales(backend, num_from, 12, c.from);
    backend.propagate(graph, to, in, out,
                      {.normalization = c.normalization,
                       .to_scales = given ? &to_scales : nullptr,
                       .from_scales = given ? &from_scales : nullptr,
                       .to = c.to ? &to_rows : nullptr,
                       .from = c.from ? &from_rows : nullptr,
                       .addend = c.addend ? &added : nullptr,
                       .addend_rows = c.addend_rows ? &added_rows : nullptr,
                       .scale = c.scale});
    return values_of(backend, out);
  }

  void check(const Loaded& loaded, Side to, std::int64_t width, const Combination& c) {
    const Interactions& rows = loaded.neighbours[static_cast<int>(to)];
    const Interactions& columns = loaded.neighbours[static_cast<int>(opposite(to))];
    const NodeId num_to = rows.num_users();
    const NodeId num_from = rows.num_items();

    // NaN in everything that must not be read: rows outside the sets, and nodes without neighbours.
    std::vector<bool> reads = c.from ? marks(num_from, random_rows(num_from, 12, 0.5))
                                     : std::vector<bool>(num_from, true);
    for (NodeId node = 0; node < num_from; ++node) {
      if (columns.row(node).empty()) reads[node] = false;
    }
    const std::vector<bool> reads_addend = c.addend_rows
                                               ? marks(num_to, random_rows(num_to, 13, 0.5))
                                               : std::vector<bool>(num_to, true);
    const Values x = poison_rows(random_values(num_from * width, 1), width, reads);
    const Values addend = poison_rows(random_values(num_to * width, 2), width, reads_addend);

    Comparison result{.actual = run(backend_, loaded.graph, to, width, x, addend, c),
                      .expected = run(reference_, loaded.reference_graph, to, width, x, addend, c),
                      .magnitude = {},
                      .cols = width};
    Combination positive = c;
    positive.scale = std::abs(c.scale);
    result.magnitude =
        run(reference_, loaded.reference_graph, to, width, absolute(x), absolute(addend), positive);
    for (std::size_t i = 0; i < result.magnitude.size(); ++i) {
      const auto degree = rows.row(static_cast<NodeId>(i / width)).size();
      result.magnitude[i] *= summation_factor(static_cast<double>(degree));
    }
    if (c.to) result.written = marks(num_to, random_rows(num_to, 11, 0.5));
    EXPECT_TRUE(within_bound(result, 1, epsilon())) << describe(loaded.name, to, width, c);
  }
};

// Users 0: {0, 1}, 1: {1}, 2: {}; items 0, 1, 2 have degrees 1, 2, 0.
Interactions small_graph() {
  return {3, 3, {0, 2, 3, 3}, {0, 1, 1}};
}

TEST_P(Propagate, MatchesHandComputationToUsers) {
  const double root = std::sqrt(0.5);
  const Graph graph = backend_.make_graph(small_graph());
  const Matrix x = make_matrix(backend_, 3, 2, Values{1, 2, 3, -4, 100, 100});
  Matrix y = make_poisoned(backend_, 3, 2);
  backend_.propagate(graph, Side::kUser, x, y);
  const Comparison result{
      .actual = values_of(backend_, y),
      .expected = {root * (1 + root * 3), root * (2 - root * 4), root * 3, -root * 4, 0, 0},
      .magnitude = {2.3, 3.5, 2.2, 2.9, 0, 0},
      .cols = 2};
  EXPECT_TRUE(within_bound(result, 8, epsilon()));
}

TEST_P(Propagate, MatchesHandComputationToItemsWithAddendAndScale) {
  const double root = std::sqrt(0.5);
  const Graph graph = backend_.make_graph(small_graph());
  const Matrix x = make_matrix(backend_, 3, 1, Values{2, 4, 100});
  const Matrix addend = make_matrix(backend_, 3, 1, Values{10, 20, 30});
  Matrix y = make_poisoned(backend_, 3, 1);
  backend_.propagate(graph, Side::kItem, x, y, {.addend = &addend, .scale = 0.5});
  const Comparison result{.actual = values_of(backend_, y),
                          .expected = {(root * 2 + 10) / 2, (root * (root * 2 + 4) + 20) / 2, 15},
                          .magnitude = {6, 13, 15}};
  EXPECT_TRUE(within_bound(result, 8, epsilon()));
}

TEST_P(Propagate, IsTheProductWithTheGraphItselfWithoutNormalization) {
  // R = [[1, 1, 0], [0, 1, 0], [0, 0, 0]]: small integers, so that every bit is known.
  const Graph graph = backend_.make_graph(small_graph());
  const Matrix x = make_matrix(backend_, 3, 2, Values{1, 2, 3, -4, 100, 100});
  Matrix y = make_poisoned(backend_, 3, 2);
  const auto none = Normalization::kNone;
  backend_.propagate(graph, Side::kUser, x, y, {.normalization = none});
  EXPECT_TRUE(same_bits(values_of(backend_, y), {4, -2, 3, -4, 0, 0}));
  backend_.propagate(graph, Side::kItem, x, y, {.normalization = none, .scale = 2});
  EXPECT_TRUE(same_bits(values_of(backend_, y), {2, 4, 8, -4, 0, 0}));
  const Matrix addend = make_matrix(backend_, 3, 2, Values{10, 20, 30, 40, 50, 60});
  const RowSet from = backend_.make_row_set(3, std::vector<NodeId>{1, 2});
  backend_.propagate(graph, Side::kUser, x, y,
                     {.normalization = none, .from = &from, .addend = &addend});
  EXPECT_TRUE(same_bits(values_of(backend_, y), {13, 16, 33, 36, 50, 60}));
}

TEST_P(Propagate, MultipliesByGivenScales) {
  // Small integers, so that every bit is known.
  const Graph graph = backend_.make_graph(small_graph());
  const Matrix x = make_matrix(backend_, 3, 2, Values{1, 2, 3, -4, 100, 100});
  const Matrix user_scales = make_matrix(backend_, 1, 3, Values{2, -1, 4});
  const Matrix item_scales = make_matrix(backend_, 1, 3, Values{8, 0.5, 3});
  Matrix y = make_poisoned(backend_, 3, 2);
  const auto given = Normalization::kGiven;
  backend_.propagate(
      graph, Side::kUser, x, y,
      {.normalization = given, .to_scales = &user_scales, .from_scales = &item_scales});
  EXPECT_TRUE(same_bits(values_of(backend_, y), {19, 28, -1.5, 2, 0, 0}));
  backend_.propagate(
      graph, Side::kItem, x, y,
      {.normalization = given, .to_scales = &item_scales, .from_scales = &user_scales, .scale = 2});
  EXPECT_TRUE(same_bits(values_of(backend_, y), {32, 64, -1, 8, 0, 0}));
}

TEST_P(Propagate, GivesTheSameBitsByItsOwnScales) {
  const Interactions interactions = random_interactions(90, 70, 0.3, 6);
  const Graph graph = backend_.make_graph(interactions);
  const Values x = random_values(70 * 33, 1);
  const auto scales_of = [&](const Interactions& side) {
    Values scales(side.num_users());
    for (NodeId node = 0; node < side.num_users(); ++node) {
      if (!side.row(node).empty()) scales[node] = 1 / std::sqrt(side.row(node).size());
    }
    return make_matrix(backend_, 1, side.num_users(), scales);
  };
  const Matrix users = scales_of(interactions);
  const Matrix items = scales_of(interactions.transposed());
  Matrix y = make_poisoned(backend_, 90, 33);
  backend_.propagate(
      graph, Side::kUser, make_matrix(backend_, 70, 33, x), y,
      {.normalization = Normalization::kGiven, .to_scales = &users, .from_scales = &items});
  EXPECT_TRUE(same_bits(values_of(backend_, y), run(backend_, graph, Side::kUser, 33, x, {}, {})));
}

TEST_P(Propagate, MatchesTheDenseMatrix) {
  for (const std::uint64_t seed : {1, 2, 3}) {
    const Interactions interactions = random_interactions(13, 9, 0.4, seed);
    const Values x = random_values(9 * 5, seed);
    // Â's upper right block, from the definition D^-1/2 A D^-1/2.
    std::vector<double> user_degree(13, 0);
    std::vector<double> item_degree(9, 0);
    for (NodeId user = 0; user < 13; ++user) {
      for (const NodeId item : interactions.row(user)) {
        ++user_degree[user];
        ++item_degree[item];
      }
    }
    Comparison result{
        .actual = run(backend_, backend_.make_graph(interactions), Side::kUser, 5, x, {}, {}),
        .expected = Values(13 * 5),
        .magnitude = Values(13 * 5),
        .cols = 5};
    for (NodeId user = 0; user < 13; ++user) {
      for (const NodeId item : interactions.row(user)) {
        const double weight = std::pow(user_degree[user] * item_degree[item], -0.5);
        for (int d = 0; d < 5; ++d) {
          result.expected[user * 5 + d] += weight * x[item * 5 + d];
          result.magnitude[user * 5 + d] += weight * std::abs(x[item * 5 + d]);
        }
      }
    }
    EXPECT_TRUE(within_bound(result, summation_factor(9), epsilon())) << seed;
  }
}

TEST_P(Propagate, MatchesTheReferenceOnTheBattery) {
  for (const NamedGraph& named : graph_battery(GetParam().budget)) {
    const Loaded loaded(named, backend_, reference_);
    for (const Side to : {Side::kUser, Side::kItem}) {
      for (const std::int64_t width : named.widths) check(loaded, to, width, {});
      for (const Combination& c : all_combinations()) check(loaded, to, named.widths.front(), c);
    }
  }
}

TEST_P(Propagate, LeavesEverythingForAnEmptySetOfRows) {
  const Graph graph = backend_.make_graph(small_graph());
  const RowSet none = backend_.make_row_set(3, {});
  const Matrix x = make_matrix(backend_, 3, 2, Values(6, 1));
  Matrix y = make_poisoned(backend_, 3, 2);
  backend_.propagate(graph, Side::kUser, x, y, {.to = &none});
  for (const double value : values_of(backend_, y)) EXPECT_TRUE(std::isnan(value));
  backend_.propagate(graph, Side::kUser, x, y, {.from = &none});
  EXPECT_TRUE(same_bits(values_of(backend_, y), Values(6, 0)));
}

TEST_P(Propagate, TakesRowsInAnyOrderWithRepeats) {
  const Graph graph = backend_.make_graph(small_graph());
  const RowSet rows = backend_.make_row_set(3, std::vector<NodeId>{2, 0, 2, 0, 0});
  EXPECT_EQ(rows.num_nodes(), 3);
  EXPECT_GE(rows.capacity(), 2);
  EXPECT_EQ(members(backend_, rows), (std::vector<bool>{true, false, true}));
}

TEST_P(Propagate, IsItsOwnAdjoint) {
  // <y, Âx> = <Âᵀy, x>: the backward pass is the propagation to the other side.
  const Graph graph = backend_.make_graph(random_interactions(60, 40, 0.2, 5));
  const Values x = random_values(40 * 7, 1);
  const Values y = random_values(60 * 7, 2);
  const Values to_users = run(backend_, graph, Side::kUser, 7, x, {}, {});
  const Values to_items = run(backend_, graph, Side::kItem, 7, y, {}, {});
  double left = 0;
  double right = 0;
  double magnitude = 0;
  for (std::size_t i = 0; i < y.size(); ++i) left += y[i] * to_users[i];
  for (std::size_t i = 0; i < x.size(); ++i) right += x[i] * to_items[i];
  for (std::size_t i = 0; i < y.size(); ++i) magnitude += std::abs(y[i] * to_users[i]);
  EXPECT_NEAR(left, right, 64 * epsilon() * magnitude);
}

TEST_P(Propagate, RepeatsBitForBit) {
  const Graph graph = backend_.make_graph(random_interactions(90, 70, 0.3, 6));
  const Values x = random_values(70 * 33, 1);
  const auto once = [&] { return run(backend_, graph, Side::kUser, 33, x, {}, {}); };
  EXPECT_TRUE(same_bits(once(), once()));
}

TEST_P(Propagate, RefusesWrongShapes) {
  const Graph graph = backend_.make_graph({4, 3, {0, 1, 1, 2, 2}, {0, 2}});
  const Matrix x = backend_.allocate(3, 2);
  Matrix y = backend_.allocate(4, 2);
  const Matrix addend = backend_.allocate(4, 2);
  const RowSet users = backend_.make_row_set(4, {});
  const RowSet items = backend_.make_row_set(3, {});
  const auto refuses = [&](const Graph& g, Side to, const Matrix& in, Matrix& out,
                           const PropagateOptions& options) {
    EXPECT_THROW(backend_.propagate(g, to, in, out, options), ShapeError);
  };
  backend_.propagate(graph, Side::kUser, x, y, {});  // valid as it is

  Matrix wide = backend_.allocate(4, 3);
  Matrix square = backend_.allocate(3, 3);
  Matrix foreign = foreign_matrix(4, 2);
  Matrix none;
  refuses(graph, Side::kItem, x, y, {});
  refuses(graph, Side::kUser, y, y, {});
  refuses(graph, Side::kUser, x, wide, {});
  refuses(graph, Side::kUser, x, none, {});
  refuses(graph, Side::kUser, none, y, {});
  refuses(graph, Side::kUser, x, foreign, {});
  refuses(graph, Side::kUser, foreign_matrix(3, 2), y, {});
  refuses(Graph(), Side::kUser, x, y, {});
  refuses(Graph(std::make_unique<StrangerStorage>(), 4, 3, 2), Side::kUser, x, y, {});
  refuses(graph, Side::kUser, x, y, {.to = &items});
  refuses(graph, Side::kUser, x, y, {.from = &users});
  refuses(graph, Side::kUser, x, y, {.addend = &x});
  refuses(graph, Side::kUser, x, y, {.addend = &y});
  refuses(graph, Side::kUser, x, y, {.addend_rows = &users});
  refuses(graph, Side::kUser, x, y, {.addend = &addend, .addend_rows = &items});
  const auto given = Normalization::kGiven;
  const Matrix of_users = backend_.allocate(1, 4);
  const Matrix of_items = backend_.allocate(1, 3);
  refuses(graph, Side::kUser, x, y, {.normalization = given});
  refuses(graph, Side::kUser, x, y, {.normalization = given, .to_scales = &of_users});
  refuses(graph, Side::kUser, x, y, {.normalization = given, .from_scales = &of_items});
  refuses(graph, Side::kUser, x, y, {.to_scales = &of_users, .from_scales = &of_items});
  refuses(graph, Side::kUser, x, y,
          {.normalization = given, .to_scales = &of_items, .from_scales = &of_users});
  refuses(graph, Side::kUser, x, y,
          {.normalization = given, .to_scales = &of_users, .from_scales = &none});
  const RowSet empty_handle;
  const RowSet foreign_rows(std::make_unique<StrangerStorage>(), 4, 4);
  refuses(graph, Side::kUser, x, y, {.to = &empty_handle});
  refuses(graph, Side::kUser, x, y, {.to = &foreign_rows});

  const Graph loop = backend_.make_graph({3, 3, {0, 1, 1, 1}, {0}});
  refuses(loop, Side::kUser, square, square, {});  // y must not be x
  const Graph pair = backend_.make_graph({1, 1, {0, 1}, {0}});
  const Matrix one = backend_.allocate(1, 1);
  Matrix other = backend_.allocate(1, 1);
  refuses(pair, Side::kUser, one, other,
          {.normalization = given, .to_scales = &other, .from_scales = &one});
}

INSTANTIATE_TEST_SUITE_P(Backends, Propagate, testing::ValuesIn(backends_under_test()),
                         backend_name);

}  // namespace
}  // namespace tern::test
