#include "host/backend/statistics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "tern/error.hpp"

namespace tern {
namespace {

struct Tridiagonal {
  std::vector<double> diagonal;
  std::vector<double> beside;  // beside[i] couples i and i + 1
};

/// Householder's reduction QᵀAQ of a symmetric matrix (n, n), which is overwritten: O(4/3 n³).
/// Source: Golub and Van Loan, Matrix Computations, 4th ed., algorithm 8.3.1.
Tridiagonal tridiagonalize(std::vector<double>& matrix, std::int64_t n) {
  const auto at = [&](std::int64_t r, std::int64_t c) -> double& { return matrix[r * n + c]; };
  Tridiagonal result{std::vector<double>(n), std::vector<double>(n)};
  std::vector<double> v(n);
  std::vector<double> w(n);
  for (std::int64_t k = 0; k + 1 < n; ++k) {
    // v reflects the rest of column k onto its first element.
    double squares = 0;
    for (std::int64_t r = k + 1; r < n; ++r) {
      v[r] = at(k, r);
      squares += v[r] * v[r];
    }
    // Elements are at most about 1 here: so small a column is zero but for rounding.
    if (squares < 1e-280) continue;
    const double norm = std::copysign(std::sqrt(squares), v[k + 1]);
    result.beside[k] = -norm;
    // ‖v‖²/2 = norm (norm + v₁) once norm is added to its first element.
    const double half_squares = norm * (norm + v[k + 1]);
    v[k + 1] += norm;
    double inner = 0;
    for (std::int64_t r = k + 1; r < n; ++r) {
      double sum = 0;
      for (std::int64_t c = k + 1; c < n; ++c) sum += at(r, c) * v[c];
      w[r] = sum / half_squares;
      inner += w[r] * v[r];
    }
    for (std::int64_t r = k + 1; r < n; ++r) w[r] -= inner / (2 * half_squares) * v[r];
    for (std::int64_t r = k + 1; r < n; ++r) {
      for (std::int64_t c = k + 1; c < n; ++c) at(r, c) -= v[r] * w[c] + w[r] * v[c];
    }
  }
  for (std::int64_t k = 0; k < n; ++k) result.diagonal[k] = at(k, k);
  return result;
}

/// How many eigenvalues lie below x: the negative pivots of T - xI (Sylvester's law of inertia).
std::int64_t count_below(const Tridiagonal& t, double x) {
  std::int64_t count = 0;
  double pivot = 1;
  for (std::size_t i = 0; i < t.diagonal.size(); ++i) {
    const double beside = i == 0 ? 0 : t.beside[i - 1];
    pivot = t.diagonal[i] - x - beside * beside / pivot;
    // A zero pivot is moved aside by less than the matrix's own rounding.
    if (std::abs(pivot) < 1e-290) pivot = -1e-290;
    count += pivot < 0;
  }
  return count;
}

/// All eigenvalues, ascending, by bisection: a few times slower than QL, but it always converges
/// and has no special cases. Source: Golub and Van Loan, section 8.4.1.
std::vector<double> eigenvalues(const Tridiagonal& t) {
  double bound = 0;  // Gershgorin
  for (std::size_t i = 0; i < t.diagonal.size(); ++i) {
    const double before = i == 0 ? 0 : std::abs(t.beside[i - 1]);
    bound = std::max(bound, before + std::abs(t.diagonal[i]) + std::abs(t.beside[i]));
  }
  bound *= 1 + 1e-12;
  std::vector<double> values(t.diagonal.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    double low = i == 0 ? -bound : values[i - 1];
    double high = bound;
    for (int halving = 0; halving < 60; ++halving) {
      const double middle = low + (high - low) / 2;
      (count_below(t, middle) <= static_cast<std::int64_t>(i) ? low : high) = middle;
    }
    values[i] = low + (high - low) / 2;
  }
  return values;
}

}  // namespace

double effective_rank(std::span<const double> gram, std::int64_t width) {
  if (width < 0 ||
      gram.size() != static_cast<std::size_t>(width) * static_cast<std::size_t>(width)) {
    throw ShapeError(
        fmt::format("effective_rank: the Gram matrix has {} elements, expected {} x {}",
                    gram.size(), width, width));
  }
  double largest = 0;
  for (const double value : gram) {
    if (!std::isfinite(value)) return std::numeric_limits<double>::quiet_NaN();
    largest = std::max(largest, std::abs(value));
  }
  if (largest == 0) return 0;  // a table of zeros spans nothing

  // The figure does not depend on scale; with unit elements nothing over- or underflows.
  std::vector<double> scaled(gram.begin(), gram.end());
  for (double& value : scaled) value /= largest;
  std::vector<double> singular = eigenvalues(tridiagonalize(scaled, width));
  double total = 0;
  for (double& value : singular) {
    value = std::sqrt(std::max(value, 0.0));
    total += value;
  }
  double entropy = 0;
  for (const double value : singular) {
    const double share = value / total;
    if (share > 0) entropy -= share * std::log(share);
  }
  return std::exp(entropy);
}

void merge(const Moments& other, Moments& m) {
  const auto n = static_cast<double>(m.rows);
  const auto k = static_cast<double>(other.rows);
  for (std::size_t c = 0; c < m.mean.size(); ++c) {
    const double delta = other.mean[c] - m.mean[c];
    m.mean[c] += delta * k / (n + k);
    m.square[c] += other.square[c] + delta * delta * n * k / (n + k);
    m.unit_sum[c] += other.unit_sum[c];
  }
  for (std::size_t c = 0; c < m.gram.size(); ++c) m.gram[c] += other.gram[c];
  m.rows += other.rows;
  m.non_finite += other.non_finite;
  m.directed += other.directed;
  m.norm_sum += other.norm_sum;
  m.max_norm = std::max(m.max_norm, other.max_norm);
  m.square_sum += other.square_sum;
}

EmbeddingStatistics summarize(Moments m, std::int64_t width, StatisticsFigures figures) {
  EmbeddingStatistics s;
  s.rows = m.rows;
  s.non_finite = m.non_finite;
  const auto n = static_cast<double>(m.rows);
  s.mean_norm = m.norm_sum / n;
  s.max_norm = m.max_norm;
  s.total_norm = std::sqrt(m.square_sum);
  if (figures == StatisticsFigures::kNorms) return s;
  if (m.directed > 1) {
    double square = 0.0;
    for (const double u : m.unit_sum) square += u * u;
    const auto k = static_cast<double>(m.directed);
    s.mean_cosine = (square - k) / (k * (k - 1.0));
  }
  const auto [least, most] = std::ranges::minmax_element(m.square);
  s.min_column_deviation = std::sqrt(*least / n);
  s.max_column_deviation = std::sqrt(*most / n);
  if (m.non_finite == 0) s.effective_rank = effective_rank(m.gram, width);
  s.gram = std::move(m.gram);
  return s;
}

EmbeddingStatistics empty_statistics(std::int64_t rows, std::int64_t width,
                                     StatisticsFigures figures) {
  EmbeddingStatistics s;
  s.rows = rows;
  if (figures == StatisticsFigures::kAll)
    s.gram.assign(static_cast<std::size_t>(width * width), 0.0);
  return s;
}

}  // namespace tern
