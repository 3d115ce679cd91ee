#pragma once

#include <cstdint>

namespace tern::cuda {

/// Sums of norms, and counts, over rows.
struct RowFigures {
  double norm_sum;
  double max_norm;
  double square_sum;        // of all elements
  std::int64_t non_finite;  // elements
  std::int64_t directed;    // rows of nonzero norm
};

/// How a table (N, D) is cut: stretches of rows for the moments, splits of rows for the Gram
/// matrix. The cuts depend on N and D alone, so that the sums have one order on every device.
struct StatisticsCuts {
  std::int64_t stretch_rows = 0;
  std::int64_t stretches = 0;
  std::int64_t split_rows = 0;
  std::int64_t splits = 0;
};
constexpr StatisticsCuts cut_statistics(std::int64_t rows, std::int64_t cols) {
  // Enough stretches to fill a GPU of some hundred multiprocessors, few enough to merge in order.
  constexpr std::int64_t kMaxStretches = 1024;
  constexpr std::int64_t kMinRows = 64;
  // Partial Gram matrices of 8 MiB together, and no more splits than stretches.
  constexpr std::int64_t kGramElements = std::int64_t{1} << 20;
  StatisticsCuts cuts;
  cuts.stretch_rows = (rows + kMaxStretches - 1) / kMaxStretches;
  if (cuts.stretch_rows < kMinRows) cuts.stretch_rows = kMinRows;
  cuts.stretches = (rows + cuts.stretch_rows - 1) / cuts.stretch_rows;
  std::int64_t splits = kGramElements / (cols * cols);
  if (splits < 1) splits = 1;
  if (splits > kMaxStretches) splits = kMaxStretches;
  cuts.split_rows = (rows + splits - 1) / splits;
  if (cuts.split_rows < kMinRows) cuts.split_rows = kMinRows;
  cuts.splits = (rows + cuts.split_rows - 1) / cuts.split_rows;
  return cuts;
}

}  // namespace tern::cuda
