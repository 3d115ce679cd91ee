#pragma once

// Norms, column moments and Gram matrix of a table (N, D), see Backend::embedding_statistics.
//
// Reads the table three times, N·D·4 bytes each: once a row to a warp for the norms, once a column
// to a thread for the column sums, once a tile to a block for the 2·N·D² operations of the Gram
// matrix. All sums are f64 and have one order: within a stretch of rows by ascending row, then the
// stretches in order. It runs once an evaluation: plainness before the last third of its time.

#include <cfloat>

#include "cuda/ops/embedding_statistics.hpp"
#include "cuda/support/group.cuh"

namespace tern::cuda {
namespace {

inline constexpr int kNormThreads = 256;    // 8 rows a block
inline constexpr int kColumnThreads = 128;  // columns a block
inline constexpr int kGramTile = 16;        // a block makes 16 × 16 elements, 16 rows at a time

/// norms[r] = ‖row r‖, non_finite[r] = how many of its elements are NaN or infinite: a warp a row.
__global__ void row_norms_kernel(MatrixView<const float> table, double* norms,
                                 std::int32_t* non_finite) {
  const LaneGroup<32> warp;
  const std::int64_t row =
      static_cast<std::int64_t>(blockIdx.x) * (kNormThreads / 32) + threadIdx.x / 32;
  if (row >= table.rows) return;
  double square = 0.0;
  int bad = 0;
  for (std::int64_t c = warp.lane; c < table.cols; c += 32) {
    const double x = static_cast<double>(table(row, c));
    square += x * x;
    bad += fabsf(table(row, c)) <= FLT_MAX ? 0 : 1;  // so that a NaN counts
  }
  square = warp.sum(square);
  bad = warp.sum(bad);
  if (warp.lane == 0) {
    norms[row] = sqrt(square);
    non_finite[row] = bad;
  }
}

/// Column sums of one stretch of rows (blockIdx.x) for the columns of blockIdx.y: a thread a
/// column, so that neighbouring threads read neighbouring elements. Mean and squared deviations by
/// Welford's update.
__global__ void column_moments_kernel(StatisticsTask task) {
  const std::int64_t column = static_cast<std::int64_t>(blockIdx.y) * kColumnThreads + threadIdx.x;
  const std::int64_t stretch = blockIdx.x;
  if (column >= task.table.cols) return;
  const std::int64_t begin = stretch * task.cut.stretch;
  const std::int64_t end = min(begin + task.cut.stretch, task.table.rows);
  double mean = 0.0;
  double square = 0.0;
  double unit_sum = 0.0;
  for (std::int64_t row = begin; row < end; ++row) {
    const double x = static_cast<double>(task.table(row, column));
    const double delta = x - mean;
    mean += delta / static_cast<double>(row - begin + 1);
    square += delta * (x - mean);
    const double norm = task.norms[row];
    if (norm > 0.0) unit_sum += x / norm;
  }
  const std::int64_t place = stretch * task.table.cols + column;
  task.means[place] = mean;
  task.squares[place] = square;
  task.unit_sums[place] = unit_sum;
}

/// One tile (blockIdx.y, row-major over the tiles) of one stretch's Gram matrix (blockIdx.x).
__global__ void gram_parts_kernel(StatisticsTask task) {
  __shared__ float left[kGramTile][kGramTile + 1];
  __shared__ float right[kGramTile][kGramTile + 1];
  const std::int64_t width = task.table.cols;
  const std::int64_t tiles = pieces(width, kGramTile);
  const std::int64_t first_a = blockIdx.y / tiles * kGramTile;
  const std::int64_t first_b = blockIdx.y % tiles * kGramTile;
  const int a = static_cast<int>(threadIdx.x) / kGramTile;
  const int b = static_cast<int>(threadIdx.x) % kGramTile;
  const std::int64_t begin = static_cast<std::int64_t>(blockIdx.x) * task.cut.gram_stretch;
  const std::int64_t end = min(begin + task.cut.gram_stretch, task.table.rows);
  double sum = 0.0;
  for (std::int64_t first = begin; first < end; first += kGramTile) {
    // Thread (a, b) brings element (first + a, first_* + b): neighbours read neighbours.
    const std::int64_t row = first + a;
    left[a][b] = row < end && first_a + b < width ? task.table(row, first_a + b) : 0.0F;
    right[a][b] = row < end && first_b + b < width ? task.table(row, first_b + b) : 0.0F;
    __syncthreads();
    for (int r = 0; r < kGramTile; ++r) {
      sum += static_cast<double>(left[r][a]) * static_cast<double>(right[r][b]);
    }
    __syncthreads();
  }
  if (first_a + a < width && first_b + b < width) {
    task.gram_parts[(static_cast<std::int64_t>(blockIdx.x) * width + first_a + a) * width +
                    first_b + b] = sum;
  }
}

/// gram = the sum of its parts, in the order of the stretches: a thread an element.
__global__ void gram_kernel(StatisticsTask task) {
  const std::int64_t size = task.table.cols * task.table.cols;
  const std::int64_t element = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (element >= size) return;
  double sum = 0.0;
  for (std::int64_t s = 0; s < task.cut.gram_stretches; ++s) {
    sum += task.gram_parts[s * size + element];
  }
  task.gram[element] = sum;
}

/// The launches of the op, by anything that is called like a Launcher.
template <class Launch>
void run_embedding_statistics(const Launch& launch, const StatisticsTask& task) {
  const std::int64_t width = task.table.cols;
  const std::int64_t tiles = pieces(width, kGramTile);
  launch({pieces(task.table.rows, kNormThreads / 32), kNormThreads}, row_norms_kernel, task.table,
         task.norms, task.non_finite);
  launch({task.cut.stretches, kColumnThreads, 0, static_cast<int>(pieces(width, kColumnThreads))},
         column_moments_kernel, task);
  launch({task.cut.gram_stretches, kGramTile * kGramTile, 0, static_cast<int>(tiles * tiles)},
         gram_parts_kernel, task);
  launch({pieces(width * width, 256), 256}, gram_kernel, task);
}

}  // namespace
}  // namespace tern::cuda
