#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tern {

/// The health of an embedding table (N, D), computed in f64 and O(N D²).
/// Collapse shows as mean_cosine -> 1 and effective_rank -> 1, blow-up as a growing norm.
struct EmbeddingStatistics {
  std::int64_t rows = 0;
  /// Elements that are NaN or infinite; if there are any, the other figures mean nothing.
  std::int64_t non_finite = 0;
  double mean_norm = 0.0;
  double max_norm = 0.0;
  /// Mean over ordered pairs of different rows of cos(row, row'), from the sum s of the unit rows:
  /// (‖s‖² - n) / (n (n - 1)), n = rows of nonzero norm; 0 for n < 2.
  double mean_cosine = 0.0;
  /// Smallest and largest standard deviation (over N) of a column.
  double min_column_deviation = 0.0;
  double max_column_deviation = 0.0;
  /// exp(entropy of σ_i / Σσ), σ the singular values (roots of the Gram matrix's eigenvalues):
  /// between 1 and D. Source: Roy and Vetterli 2007, "The effective rank".
  double effective_rank = 0.0;
  /// XᵀX, (D, D) row-major.
  std::vector<double> gram;
  /// √Σ‖row‖²: the norm of the table as one vector.
  double total_norm = 0.0;
};

/// Which figures of a table are computed.
enum class StatisticsFigures : std::uint8_t {
  kAll,
  /// rows, non_finite, mean_norm, max_norm and total_norm, in O(N D); all others stay 0, gram empty.
  kNorms,
};

/// The effective rank of a table X, from its Gram matrix XᵀX, (width, width) row-major.
double effective_rank(std::span<const double> gram, std::int64_t width);

}  // namespace tern
