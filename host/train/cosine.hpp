#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>

#include "tern/backend.hpp"

namespace tern {

/// The least norm that a row is divided by, so that a row of zeros keeps its zeros.
inline constexpr double kMinNorm = 1e-12;

/// max(‖row‖, kMinNorm), summed in f64 in the order of the columns.
template <typename Value>
double norm_of(std::span<const Value> row) {
  double sum = 0.0;
  for (const Value value : row) sum += static_cast<double>(value) * static_cast<double>(value);
  return std::max(std::sqrt(sum), kMinNorm);
}

/// Divides each row of a row-major table, (rows, width), by norm_of() it.
void normalize_rows(std::span<float> table, std::int64_t width);
void normalize_rows(std::span<double> table, std::int64_t width);

/// A new matrix on the backend with the rows of `matrix` divided by their norms, in its precision.
/// Ranking by dot products with these is ranking by cosine, since a query's own norm moves no item.
/// The rows make a round trip over the host, which an evaluation takes once.
Matrix normalized_copy(Backend& backend, const Matrix& matrix);

}  // namespace tern
