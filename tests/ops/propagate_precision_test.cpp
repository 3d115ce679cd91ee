// propagate from matrices that it reads in bf16: the same sums, of rounded elements, whoever wrote them.

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "host/support/bf16.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/graphs.hpp"
#include "tests/support/matrices.hpp"
#include "tests/support/matrix_writers.hpp"

namespace tern::test {
namespace {

constexpr MatrixOptions kRounded{.gather = GatherPrecision::kBf16};

/// n users and n items, user i with item i.
Interactions diagonal(NodeId n) {
  std::vector<Interaction> pairs;
  for (NodeId node = 0; node < n; ++node) pairs.push_back({node, node});
  return Interactions::from_pairs(n, n, pairs);
}

Values rounded(Values values) {
  for (double& value : values) value = round_to_bf16(static_cast<float>(value));
  return values;
}

class PropagatePrecision : public BackendTest {
 protected:
  /// The elements of a matrix as propagate reads them.
  Values read_by_propagate(const Matrix& matrix) {
    const auto n = static_cast<NodeId>(matrix.rows());
    const Graph graph = backend_.make_graph(diagonal(n));
    Matrix y = make_poisoned(backend_, n, matrix.cols());
    backend_.propagate(graph, Side::kUser, matrix, y, {.normalization = Normalization::kNone});
    return values_of(backend_, y);
  }

  void assign(Matrix& matrix, std::uint64_t seed) {
    const Values values = random_values(matrix.size(), seed);
    backend_.upload(std::span<const double>(values), matrix);
  }

  /// Expects that propagate reads the matrix as it is now.
  void expect_fresh(const Matrix& matrix, const std::string& writer) {
    EXPECT_TRUE(same_bits(read_by_propagate(matrix), rounded(values_of(backend_, matrix))))
        << "after " << writer;
  }

  struct Options {
    bool to = false;
    bool from = false;
    bool addend = false;
  };

  static Values run(Backend& backend, const Interactions& interactions, Side to, std::int64_t width,
                    const Values& x, const Values& addend, const Options& options) {
    const Graph graph = backend.make_graph(interactions);
    const NodeId num_to = graph.num_nodes(to);
    const NodeId num_from = graph.num_nodes(opposite(to));
    const Matrix in = make_matrix(backend, num_from, width, x, kRounded);
    const Matrix added = make_matrix(backend, num_to, width, addend);
    Matrix out = make_poisoned(backend, num_to, width);
    const RowSet to_rows = backend.make_row_set(num_to, random_rows(num_to, 11, 0.5));
    const RowSet from_rows = backend.make_row_set(num_from, random_rows(num_from, 12, 0.5));
    backend.propagate(graph, to, in, out,
                      {.to = options.to ? &to_rows : nullptr,
                       .from = options.from ? &from_rows : nullptr,
                       .addend = options.addend ? &added : nullptr,
                       .scale = 0.5});
    return values_of(backend, out);
  }
};

TEST_P(PropagatePrecision, RoundsEachElementOnce) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const std::int64_t width : {1, 2, 16, 17, 48, 64, 130, 512}) {
    Values x = random_values(40 * width, 3);
    x[0] = 1.0 + std::ldexp(1.0, -8);  // a tie
    x[1] = infinity;
    x[2] = std::ldexp(1.0, -140);  // rounds to 0
    x[3] = std::ldexp(3.0, -134);  // between the smallest bf16 and twice that
    x[4] = std::nanf("0x3fffff");  // rounded as a number it would be 0
    const Matrix matrix = make_matrix(backend_, 40, width, x, kRounded);
    EXPECT_TRUE(same_bits(read_by_propagate(matrix), rounded(x))) << width;
    EXPECT_TRUE(same_bits(values_of(backend_, matrix), x)) << "a download is not rounded";
  }
}

TEST_P(PropagatePrecision, MatchesTheReferenceOnTheBattery) {
  const Options combinations[] = {
      {}, {.to = true}, {.from = true, .addend = true}, {.to = true, .from = true}};
  for (const NamedGraph& named : graph_battery(GetParam().budget)) {
    const Interactions sides[] = {named.interactions, named.interactions.transposed()};
    for (const Side to : {Side::kUser, Side::kItem}) {
      const Interactions& rows = sides[static_cast<int>(to)];
      for (const std::int64_t width : named.widths) {
        const Values x = random_values(rows.num_items() * width, 1);
        const Values addend = random_values(rows.num_users() * width, 2);
        for (const Options& options : combinations) {
          const auto of = [&](Backend& backend, const Values& source, const Values& added) {
            return run(backend, named.interactions, to, width, source, added, options);
          };
          Comparison result{.actual = of(backend_, x, addend),
                            .expected = of(reference_, x, addend),
                            .magnitude = of(reference_, absolute(x), absolute(addend)),
                            .cols = width};
          for (std::size_t i = 0; i < result.magnitude.size(); ++i) {
            const auto degree = rows.row(static_cast<NodeId>(i / width)).size();
            result.magnitude[i] *= summation_factor(static_cast<double>(degree));
          }
          if (options.to) {
            result.written = marks(rows.num_users(), random_rows(rows.num_users(), 11, 0.5));
          }
          EXPECT_TRUE(within_bound(result, 1, epsilon())) << named.name << ", D " << width;
        }
      }
    }
  }
}

TEST_P(PropagatePrecision, ReadsWhatTheLastOpWrote) {
  MatrixWriters ops(backend_);
  const std::vector<MatrixWriter> writers = ops.all();
  for (const MatrixWriter& first : writers) {
    for (const MatrixWriter& second : writers) {
      Matrix matrix = backend_.allocate(MatrixWriters::kNodes, MatrixWriters::kWidth, kRounded);
      assign(matrix, 7);
      first.write(matrix);
      second.write(matrix);
      expect_fresh(matrix, first.name + " and " + second.name);
      first.write(matrix);
      expect_fresh(matrix, first.name);
    }
  }
}

/// In each backend's own sums a copy only rounds.
TEST_P(PropagatePrecision, SumsLikeARoundedTable) {
  const bool both[] = {false, true};
  for (const NamedGraph& named : graph_battery(GetParam().budget)) {
    const Graph graph = backend_.make_graph(named.interactions);
    const NodeId users = graph.num_nodes(Side::kUser), items = graph.num_nodes(Side::kItem);
    const RowSet to = backend_.make_row_set(users, random_rows(users, 11, 0.5));
    const RowSet from = backend_.make_row_set(items, random_rows(items, 12, 0.5));
    for (const std::int64_t width : named.widths) {
      Values values = random_values(items * width, 1);
      // Products with one of these change a sum; a row without such a neighbour must not notice it.
      if (items > 2) values[0] = values[values.size() - 1] = std::nanf("");
      const Matrix x = make_matrix(backend_, items, width, values, kRounded);
      const Matrix table = make_matrix(backend_, items, width, rounded(values));
      for (const bool to_some : both) {
        for (const bool from_some : both) {
          const auto sums_of = [&](const Matrix& source) {
            Matrix y = make_poisoned(backend_, users, width);
            backend_.propagate(
                graph, Side::kUser, source, y,
                {.to = to_some ? &to : nullptr, .from = from_some ? &from : nullptr});
            return values_of(backend_, y);
          };
          EXPECT_TRUE(same_bits(sums_of(x), sums_of(table))) << named.name << ", D " << width;
        }
      }
    }
  }
}

/// Sums of products that underflow keep the sign of their zero, whatever is read beside them.
TEST_P(PropagatePrecision, KeepsTheSignOfZero) {
  const Interactions interactions = random_interactions(40, 30, 0.2, 3);
  const Graph graph = backend_.make_graph(interactions);
  const Matrix ones = make_matrix(backend_, 1, 40, Values(40, 1.0));
  const Matrix tiny = make_matrix(backend_, 1, 30, Values(30, 1e-30));
  const RowSet some = backend_.make_row_set(30, random_rows(30, 12, 0.5));
  for (const std::int64_t width : {3, 20, 64}) {
    const Values values(static_cast<std::size_t>(30 * width), -0x1p-120);
    const Matrix x = make_matrix(backend_, 30, width, values, kRounded);
    const Matrix table = make_matrix(backend_, 30, width, values);
    for (const RowSet* from : {static_cast<const RowSet*>(nullptr), &some}) {
      const auto sums_of = [&](const Matrix& source) {
        Matrix y = make_poisoned(backend_, 40, width);
        backend_.propagate(graph, Side::kUser, source, y,
                           {.normalization = Normalization::kGiven,
                            .to_scales = &ones,
                            .from_scales = &tiny,
                            .from = from});
        return values_of(backend_, y);
      };
      EXPECT_TRUE(same_bits(sums_of(x), sums_of(table))) << width;
    }
  }
}

/// A step that is recorded once follows tables that are written between its runs.
TEST_P(PropagatePrecision, RecordedStepsReadFreshTables) {
  const Graph graph = backend_.make_graph(random_interactions(30, 20, 0.3, 6));
  Matrix users = backend_.allocate(30, 12, kRounded);
  Matrix items = backend_.allocate(20, 12, kRounded);
  Matrix gradient = backend_.allocate(30, 12);
  AdamState state{backend_.allocate(30, 12), backend_.allocate(30, 12)};
  Counter count = backend_.make_counter(1);
  const auto step = [&] {
    backend_.propagate(graph, Side::kItem, users, items);
    backend_.propagate(graph, Side::kUser, items, gradient);
    backend_.adam({.learning_rate = 0.1}, count, gradient, users, state);
  };
  const auto recording = backend_.record(step);
  const auto results_of = [&](const std::function<void()>& run) {
    for (Matrix* matrix : {&state.first_moment, &state.second_moment}) backend_.fill(*matrix, 0);
    assign(users, 7);
    for (int i = 0; i < 3; ++i) run();
    assign(users, 8);
    run();
    Values results = values_of(backend_, users);
    for (const Values& more : {read_by_propagate(users), read_by_propagate(items)}) {
      results.insert(results.end(), more.begin(), more.end());
    }
    return results;
  };
  const Values expected = results_of(step);
  for (int i = 0; i < 2; ++i)
    EXPECT_TRUE(same_bits(results_of([&] { recording->replay(); }), expected));
}

TEST_P(PropagatePrecision, RepeatsBitForBit) {
  const Interactions interactions = random_interactions(90, 70, 0.3, 6);
  const Values x = random_values(70 * 33, 1);
  const auto once = [&] {
    return run(backend_, interactions, Side::kUser, 33, x, Values(90 * 33), {});
  };
  EXPECT_TRUE(same_bits(once(), once()));
}

INSTANTIATE_TEST_SUITE_P(Backends, PropagatePrecision, testing::ValuesIn(backends_under_test()),
                         backend_name);

}  // namespace
}  // namespace tern::test
