#include "host/backend/expect.hpp"

#include "host/backend/checks.hpp"

namespace tern {

void expect_present(std::string_view op, std::string_view what, const Owner& owner) {
  if (owner.empty()) throw_empty(op, what);
}

void expect_shape(std::string_view op, std::string_view what, const Matrix& matrix,
                  std::int64_t rows, std::int64_t cols) {
  expect_present(op, what, matrix);
  if (matrix.rows() != rows || matrix.cols() != cols) {
    throw_shape("{}: {} is ({}, {}), expected ({}, {}).", op, what, matrix.rows(), matrix.cols(),
                rows, cols);
  }
}

void expect_row_set(std::string_view op, std::string_view what, const RowSet& set,
                    std::int64_t num_nodes) {
  expect_present(op, what, set);
  if (set.num_nodes() != num_nodes) {
    throw_shape("{}: {} chooses among {} rows, expected {}.", op, what, set.num_nodes(), num_nodes);
  }
}

void expect_distinct(std::string_view op, std::string_view what, const Matrix& matrix,
                     std::string_view other_what, const Matrix& other) {
  if (matrix.storage() == other.storage()) {
    throw_shape("{}: {} and {} are the same matrix, expected two.", op, what, other_what);
  }
}

void expect_option(std::string_view name, double value, bool fits, std::string_view expected) {
  if (!fits) throw ConfigError(fmt::format("{}: found {}, expected {}", name, value, expected));
}

}  // namespace tern
