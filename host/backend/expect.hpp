#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tern/error.hpp"
#include "tern/storage.hpp"

namespace tern {

// The error messages of the checks in host/backend/checks.hpp. `op` is the method's name.

template <typename... Args>
[[noreturn]] void throw_shape(fmt::format_string<Args...> format, Args&&... args) {
  throw ShapeError(fmt::format(format, std::forward<Args>(args)...));
}

void expect_present(std::string_view op, std::string_view what, const Owner& owner);
void expect_shape(std::string_view op, std::string_view what, const Matrix& matrix,
                  std::int64_t rows, std::int64_t cols);
void expect_row_set(std::string_view op, std::string_view what, const RowSet& set,
                    std::int64_t num_nodes);
/// Throws ShapeError if two matrices are the same.
void expect_distinct(std::string_view op, std::string_view what, const Matrix& matrix,
                     std::string_view other_what, const Matrix& other);
struct NamedMatrix {
  std::string name;
  const Matrix* matrix;
};
/// Throws ShapeError if any two of the matrices are the same.
void expect_distinct(std::string_view op, const std::vector<NamedMatrix>& matrices);
/// Throws ConfigError unless `fits`.
void expect_option(std::string_view name, double value, bool fits, std::string_view expected);
/// Throws ConfigError unless the option is finite and at least 0.
void expect_non_negative(std::string_view name, double value);
/// Throws ConfigError unless the option is finite and above 0.
void expect_positive(std::string_view name, double value);

}  // namespace tern
