#include "tests/support/matrices.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tern/random.hpp"

namespace tern::test {
namespace {

RandomStream stream_of(std::uint64_t seed) {
  return {Seed{seed}, Purpose::kGenerate, 0, 0};
}

}  // namespace

Values random_values(std::int64_t size, std::uint64_t seed, double scale) {
  RandomStream stream = stream_of(seed);
  Values values(static_cast<std::size_t>(size));
  for (double& value : values) {
    value = static_cast<float>(scale * (2 * stream.uniform() - 1));
  }
  return values;
}

Values random_integers(std::int64_t size, std::uint64_t seed, int most) {
  RandomStream stream = stream_of(seed);
  Values values(static_cast<std::size_t>(size));
  for (double& value : values) {
    value = static_cast<double>(stream.below(2 * static_cast<std::uint32_t>(most) + 1)) - most;
  }
  return values;
}

std::vector<NodeId> random_rows(NodeId num_nodes, std::uint64_t seed, double share) {
  RandomStream stream = stream_of(seed);
  std::vector<NodeId> rows;
  for (NodeId row = 0; row < num_nodes; ++row) {
    if (stream.uniform() <= share) rows.push_back(row);
  }
  return rows;
}

std::vector<bool> marks(std::int64_t num_rows, std::span<const NodeId> rows) {
  std::vector<bool> result(static_cast<std::size_t>(num_rows), false);
  for (const NodeId row : rows) result[row] = true;
  return result;
}

Values absolute(Values values) {
  for (double& value : values) value = std::abs(value);
  return values;
}

Values poison_rows(Values values, std::int64_t cols, const std::vector<bool>& keep) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!keep[i / static_cast<std::size_t>(cols)]) {
      values[i] = std::numeric_limits<double>::quiet_NaN();
    }
  }
  return values;
}

Matrix make_matrix(Backend& backend, std::int64_t rows, std::int64_t cols,
                   std::span<const double> values, const MatrixOptions& options) {
  Matrix matrix = backend.allocate(rows, cols, options);
  backend.upload(values, matrix);
  return matrix;
}

Matrix make_poisoned(Backend& backend, std::int64_t rows, std::int64_t cols) {
  Matrix matrix = backend.allocate(rows, cols);
  backend.fill(matrix, std::numeric_limits<double>::quiet_NaN());
  return matrix;
}

Values values_of(Backend& backend, const Matrix& matrix) {
  Values values(static_cast<std::size_t>(matrix.size()));
  backend.download(matrix, std::span<double>(values));
  return values;
}

std::vector<bool> members(Backend& backend, const RowSet& rows) {
  Matrix parameter = backend.allocate(rows.num_nodes(), 1);
  Matrix gradient = backend.allocate(rows.num_nodes(), 1);
  backend.fill(gradient, -1);
  SgdState state;
  backend.sgd({.learning_rate = 1}, backend.make_counter(1), gradient, parameter, state, &rows);
  const Values moved = values_of(backend, parameter);
  std::vector<bool> result(moved.size());
  std::transform(moved.begin(), moved.end(), result.begin(), [](double v) { return v == 1; });
  return result;
}

std::vector<bool> marked(Backend& backend, const RowSet& rows) {
  const NodeId size = rows.num_nodes();
  const Graph graph = backend.make_graph(Interactions::from_pairs(size, 1, {}));
  const Matrix nothing = backend.allocate(1, 1);
  Matrix ones = backend.allocate(size, 1);
  backend.fill(ones, 1);
  Matrix shown = backend.allocate(size, 1);
  backend.propagate(graph, Side::kUser, nothing, shown, {.addend = &ones, .addend_rows = &rows});
  const Values values = values_of(backend, shown);
  std::vector<bool> result(values.size());
  std::transform(values.begin(), values.end(), result.begin(), [](double v) { return v == 1; });
  return result;
}

}  // namespace tern::test
