#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "cuda/support/launch_shape.hpp"
#include "tern/statistics.hpp"
#include "tern/view.hpp"

namespace tern::cuda {

struct Queue;

/// How a table is cut for its statistics. The cuts depend on its shape alone: one order of
/// summation.
struct StatisticsCut {
  std::int64_t stretches = 0;       // of rows, each with column sums of its own
  std::int64_t stretch = 0;         // rows of each but the last
  std::int64_t gram_stretches = 0;  // likewise for the Gram matrix, whose partial sums are larger
  std::int64_t gram_stretch = 0;
};

inline StatisticsCut cut_for_statistics(std::int64_t rows, std::int64_t width) {
  // 256 rows a stretch: enough blocks for a large device from 40,000 rows on; at most 1024, which
  // bounds what the host merges. Gram matrices of all stretches together take at most 32 MiB.
  constexpr std::int64_t kRows = 256;
  constexpr std::int64_t kMost = 1024;
  constexpr std::int64_t kGramElements = std::int64_t{1} << 22;
  if (rows == 0 || width == 0) return {};
  StatisticsCut cut;
  cut.stretch = std::max(kRows, pieces(rows, kMost));
  cut.stretches = pieces(rows, cut.stretch);
  const std::int64_t affordable =
      std::clamp<std::int64_t>(kGramElements / (width * width), 1, kMost);
  cut.gram_stretch = std::max(kRows, pieces(rows, affordable));
  cut.gram_stretches = pieces(rows, cut.gram_stretch);
  return cut;
}

/// The statistics of a table (N, D); all pointers on the device, all sums in f64.
struct StatisticsTask {
  MatrixView<const float> table;
  StatisticsCut cut;
  double* norms = nullptr;             // (N): ‖row‖
  std::int32_t* non_finite = nullptr;  // (N): elements of the row that are NaN or infinite
  double* unit_sums = nullptr;         // (stretches, D): sums of the rows scaled to norm 1
  double* means = nullptr;             // (stretches, D)
  double* squares = nullptr;           // (stretches, D): squared deviations from the stretch's mean
  double* gram_parts = nullptr;        // (gram_stretches, D, D)
  double* gram = nullptr;              // (D, D)
};

/// Fills norms, non_finite, unit_sums, means, squares and gram of the task.
void launch_embedding_statistics(const Queue& queue, const StatisticsTask& task);

/// The statistics from what the launch left, brought to the host; merges the stretches in order.
EmbeddingStatistics merge_statistics(const StatisticsCut& cut, std::int64_t rows,
                                     std::int64_t width, std::span<const double> norms,
                                     std::span<const std::int32_t> non_finite,
                                     std::span<const double> unit_sums,
                                     std::span<const double> means, std::span<const double> squares,
                                     std::span<const double> gram);

}  // namespace tern::cuda
