#include <algorithm>
#include <cmath>

#include "host/backend/checks.hpp"
#include "host/reference/backend.hpp"

namespace tern::reference {
namespace {

double norm_of_row(MatrixView<const double> x, std::int64_t r) {
  double squares = 0;
  for (std::int64_t d = 0; d < x.cols; ++d) squares += x(r, d) * x(r, d);
  return std::sqrt(squares);
}

/// The elements that are not finite, and the norms.
void describe_norms(MatrixView<const double> x, EmbeddingStatistics& result) {
  double squares = 0;
  for (std::int64_t r = 0; r < x.rows; ++r) {
    for (std::int64_t d = 0; d < x.cols; ++d) {
      squares += x(r, d) * x(r, d);
      result.non_finite += !std::isfinite(x(r, d));
    }
    const double norm = norm_of_row(x, r);
    result.mean_norm += norm / static_cast<double>(x.rows);
    result.max_norm = std::max(result.max_norm, norm);
  }
  result.total_norm = std::sqrt(squares);
}

/// The mean cosine over ordered pairs of different nonzero rows.
void describe_directions(MatrixView<const double> x, EmbeddingStatistics& result) {
  std::vector<double> sum_of_units(static_cast<std::size_t>(x.cols), 0.0);
  double nonzero = 0;
  for (std::int64_t r = 0; r < x.rows; ++r) {
    const double norm = norm_of_row(x, r);
    if (norm == 0) continue;
    nonzero += 1;
    for (std::int64_t d = 0; d < x.cols; ++d) sum_of_units[d] += x(r, d) / norm;
  }
  if (nonzero < 2) return;
  double squares = 0;
  for (const double value : sum_of_units) squares += value * value;
  result.mean_cosine = (squares - nonzero) / (nonzero * (nonzero - 1));
}

/// Standard deviations over the rows: two passes, so that a large mean cancels nothing.
void describe_columns(MatrixView<const double> x, EmbeddingStatistics& result) {
  for (std::int64_t d = 0; d < x.cols; ++d) {
    double mean = 0;
    for (std::int64_t r = 0; r < x.rows; ++r) mean += x(r, d) / static_cast<double>(x.rows);
    double variance = 0;
    for (std::int64_t r = 0; r < x.rows; ++r) {
      variance += (x(r, d) - mean) * (x(r, d) - mean) / static_cast<double>(x.rows);
    }
    const double deviation = std::sqrt(variance);
    if (d == 0 || deviation < result.min_column_deviation) result.min_column_deviation = deviation;
    if (d == 0 || deviation > result.max_column_deviation) result.max_column_deviation = deviation;
  }
}

}  // namespace

// ‖x_r‖, √Σ‖x_r‖², mean cosine, column deviations, XᵀX
EmbeddingStatistics ReferenceBackend::embedding_statistics(const Matrix& embeddings,
                                                           StatisticsFigures figures) {
  expect_not_recording("embedding_statistics");
  check_embedding_statistics(embeddings);
  const MatrixView<const double> x = view(embeddings, "embedding_statistics", "embeddings");
  EmbeddingStatistics result;
  result.rows = x.rows;
  describe_norms(x, result);
  if (figures == StatisticsFigures::kNorms) return result;
  describe_directions(x, result);
  describe_columns(x, result);
  result.gram.assign(static_cast<std::size_t>(x.cols * x.cols), 0.0);
  for (std::int64_t r = 0; r < x.rows; ++r) {
    for (std::int64_t c = 0; c < x.cols; ++c) {
      for (std::int64_t d = 0; d < x.cols; ++d) result.gram[c * x.cols + d] += x(r, c) * x(r, d);
    }
  }
  result.effective_rank = effective_rank(result.gram, x.cols);
  return result;
}

}  // namespace tern::reference
