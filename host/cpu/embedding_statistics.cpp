// Norms, cosines, column deviations and Gram matrix of a table, see Backend::embedding_statistics.
//
// All in f64. The table is cut into stretches, each summed by one thread and merged in order: the
// same figures for any number of threads.

#include <algorithm>
#include <cmath>
#include <vector>

#include <cblas.h>

#include "host/backend/checks.hpp"
#include "host/backend/statistics.hpp"
#include "host/cpu/backend.hpp"

namespace tern::cpu {

namespace {

/// Stretches of a table; each has its own Gram matrix until they are merged.
constexpr std::int64_t kStretches = 16;

void add_row(const double* row, std::int64_t width, Moments& m) {
  double square = 0.0;
  for (std::int64_t c = 0; c < width; ++c) {
    square += row[c] * row[c];
    m.non_finite += std::isfinite(row[c]) ? 0 : 1;
  }
  const double norm = std::sqrt(square);
  ++m.rows;
  m.norm_sum += norm;
  m.max_norm = std::max(m.max_norm, norm);
  m.square_sum += square;
  if (norm > 0.0) {
    ++m.directed;
    for (std::size_t c = 0; c < m.unit_sum.size(); ++c) m.unit_sum[c] += row[c] / norm;
  }
}

/// Sums for the norms alone.
Moments sum_norms(MatrixView<float> table, std::int64_t begin, std::int64_t end) {
  Moments m;
  std::vector<double> row(static_cast<std::size_t>(table.cols));
  for (std::int64_t r = begin; r < end; ++r) {
    std::copy_n(table.row(r), table.cols, row.data());
    add_row(row.data(), table.cols, m);
  }
  return m;
}

Moments sum_tile(MatrixView<float> table, std::int64_t begin, std::int64_t end,
                 StatisticsFigures figures) {
  if (figures == StatisticsFigures::kNorms) return sum_norms(table, begin, end);
  const std::int64_t width = table.cols;
  const auto cells = static_cast<std::size_t>(width);
  Moments m{.unit_sum = std::vector<double>(cells),
            .mean = std::vector<double>(cells),
            .square = std::vector<double>(cells),
            .gram = std::vector<double>(cells * cells)};
  std::vector<double> rows(static_cast<std::size_t>((end - begin) * width));
  for (std::int64_t r = begin; r < end; ++r) {
    double* row = rows.data() + (r - begin) * width;
    std::copy_n(table.row(r), width, row);
    add_row(row, width, m);
    for (std::int64_t c = 0; c < width; ++c) m.mean[c] += row[c];
  }
  for (double& mean : m.mean) mean /= static_cast<double>(m.rows);
  for (std::int64_t r = 0; r < m.rows; ++r) {
    for (std::int64_t c = 0; c < width; ++c) {
      const double deviation = rows[r * width + c] - m.mean[c];
      m.square[c] += deviation * deviation;
    }
  }
  const int d = static_cast<int>(width);
  cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, d, d, static_cast<int>(m.rows), 1.0,
              rows.data(), d, rows.data(), d, 0.0, m.gram.data(), d);
  return m;
}

/// Tile by tile, so that the copy in f64 stays in the cache.
Moments sum_stretch(MatrixView<float> table, std::int64_t begin, std::int64_t end,
                    StatisticsFigures figures) {
  constexpr std::int64_t kTile = 512;
  Moments total = sum_tile(table, begin, std::min(begin + kTile, end), figures);
  for (std::int64_t r = begin + kTile; r < end; r += kTile) {
    merge(sum_tile(table, r, std::min(r + kTile, end), figures), total);
  }
  return total;
}

}  // namespace

EmbeddingStatistics CpuBackend::embedding_statistics(const Matrix& embeddings,
                                                     StatisticsFigures figures) {
  expect_not_recording("embedding_statistics");
  check_embedding_statistics(embeddings);
  const auto table = view(embeddings);
  if (table.rows == 0 || table.cols == 0) {
    return empty_statistics(table.rows, table.cols, figures);
  }
  const std::int64_t stretch = (table.rows + kStretches - 1) / kStretches;
  const std::int64_t stretches = (table.rows + stretch - 1) / stretch;
  std::vector<Moments> parts(static_cast<std::size_t>(stretches));
  parallel_for(pool_, stretches, [&](std::int64_t s) {
    parts[s] = sum_stretch(table, s * stretch, std::min((s + 1) * stretch, table.rows), figures);
  });
  Moments total = std::move(parts[0]);
  for (std::int64_t s = 1; s < stretches; ++s) merge(parts[s], total);
  return summarize(std::move(total), table.cols, figures);
}

}  // namespace tern::cpu
