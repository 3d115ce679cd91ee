#include "host/backend/expect.hpp"

#include <cmath>

#include "host/backend/checks.hpp"

namespace tern {

void expect_present(std::string_view op, std::string_view what, const Owner& owner) {
  if (owner.empty()) throw_empty(op, what);
}

void expect_shape(std::string_view op, std::string_view what, const Matrix& matrix,
                  std::int64_t rows, std::int64_t cols) {
  expect_present(op, what, matrix);
  if (matrix.rows() != rows || matrix.cols() != cols) {
    throw_shape("{}: {} is ({}, {}), expected ({}, {})", op, what, matrix.rows(), matrix.cols(),
                rows, cols);
  }
}

void expect_row_set(std::string_view op, std::string_view what, const RowSet& set,
                    std::int64_t num_nodes) {
  expect_present(op, what, set);
  if (set.num_nodes() != num_nodes) {
    throw_shape("{}: {} is a set among {} rows, expected {}", op, what, set.num_nodes(), num_nodes);
  }
}

void expect_distinct(std::string_view op, std::string_view what, const Matrix& matrix,
                     std::string_view other_what, const Matrix& other) {
  if (matrix.storage() == other.storage()) {
    throw_shape("{}: {} and {} are the same matrix, expected two", op, what, other_what);
  }
}

void expect_distinct(std::string_view op, const std::vector<NamedMatrix>& matrices) {
  for (std::size_t i = 0; i < matrices.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      expect_distinct(op, matrices[i].name, *matrices[i].matrix, matrices[j].name,
                      *matrices[j].matrix);
    }
  }
}

void expect_non_negative(std::string_view name, double value) {
  expect_option(name, value, value >= 0 && std::isfinite(value), "a finite number, at least 0");
}

void expect_positive(std::string_view name, double value) {
  expect_option(name, value, value > 0 && std::isfinite(value), "a positive number");
}

void expect_option(std::string_view name, double value, bool fits, std::string_view expected) {
  if (!fits) throw ConfigError(fmt::format("{}: found {}, expected {}", name, value, expected));
}

}  // namespace tern
