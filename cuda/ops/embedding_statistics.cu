// embedding_statistics: norms, column moments and Gram matrix of a table (N, D), all in f64. Source
// of the merging rule: Chan, Golub and LeVeque 1979.
//
// Moments: one block handles a stretch of rows, tile by tile. First a warp sums the square of a
// row; then a thread computes mean, squared deviations and unit sum of a column of the tile (from
// the cache) and merges them into those of the stretch, so that a large mean swallows no small
// deviation. One thread a column merges the stretches in order. 4·N·D bytes and some 8·N·D flops.
// Gram: one block handles a (32, 32) tile of XᵀX and a split of the rows; 2·N·D² flops in f64, in
// which products of two floats are exact. Splits are added in order. Both run once an epoch, so
// neither is worth more effort than this.
// Norms alone: the first half of the moments, 4·N·D bytes; only a RowFigures is read back.
//
// Stretches and splits depend on N and D alone, and every sum has one order: bitwise reproducible.

#include "cuda/ops/embedding_statistics.hpp"

#include <cmath>
#include <utility>
#include <vector>

#include "cuda/backend.hpp"
#include "cuda/support/block.cuh"
#include "cuda/support/group.cuh"
#include "host/backend/checks.hpp"
#include "host/backend/statistics.hpp"

namespace tern::cuda {
namespace {

/// The sums behind EmbeddingStatistics; rows, cols >= 1. All pointers on the device. The totals end
/// up in the first row of each array.
struct EmbeddingStatisticsTask {
  MatrixView<const float> table;
  StatisticsCuts cuts;
  RowFigures* figures = nullptr;  // (stretches)
  // For the norms alone, the others are null.
  double* unit_sum = nullptr;  // (stretches, D): sum of the rows scaled to norm 1
  double* mean = nullptr;      // (stretches, D)
  double* square = nullptr;    // (stretches, D): sum of squared deviations from the mean
  double* gram = nullptr;      // (splits, D, D)
};

constexpr int kStatisticsThreads = 256;
constexpr int kStatisticsTile = 64;  // rows; their norms lie in shared memory
constexpr int kGramTile = 32;        // columns on a side; each thread holds 2 × 2 of the products
constexpr int kGramRows = 32;        // rows at once in shared memory: two tiles of 4 KiB

/// Norms of a tile's rows, one warp a row. The reciprocals go to shared memory, 0 for a zero row;
/// this lane's share of the figures is added to `figures`.
__device__ inline void sum_norms(const MatrixView<const float>& table, std::int64_t begin, int rows,
                                 double* reciprocals, RowFigures& figures) {
  const LaneGroup<32> warp;
  for (int r = static_cast<int>(threadIdx.x) / 32; r < rows; r += kStatisticsThreads / 32) {
    const float* row = table.row(begin + r);
    double square = 0.0;
    for (std::int64_t c = warp.lane; c < table.cols; c += 32) {
      const double x = row[c];
      square += x * x;
      figures.non_finite += std::isfinite(row[c]) ? 0 : 1;
    }
    square = warp.sum(square);
    const double norm = sqrt(square);
    if (warp.lane == 0) {
      figures.square_sum += square;
      figures.norm_sum += norm;
      figures.max_norm = fmax(figures.max_norm, norm);
      figures.directed += norm > 0.0 ? 1 : 0;
      reciprocals[r] = norm > 0.0 ? 1.0 / norm : 0.0;
    }
  }
}

/// Column c of rows [begin, begin + rows), merged into the sums of the `before` rows of its
/// stretch.
__device__ inline void merge_tile(const EmbeddingStatisticsTask& task, std::int64_t begin, int rows,
                                  std::int64_t before, const double* reciprocals, std::int64_t c) {
  const MatrixView<const float>& table = task.table;
  double mean = 0.0;
  double units = 0.0;
  for (int r = 0; r < rows; ++r) {
    const double x = table(begin + r, c);
    mean += x;
    units = ::fma(x, reciprocals[r], units);
  }
  mean /= rows;
  double square = 0.0;
  for (int r = 0; r < rows; ++r) {
    const double deviation = table(begin + r, c) - mean;
    square = ::fma(deviation, deviation, square);
  }
  const std::int64_t at = blockIdx.x * table.cols + c;
  if (before > 0) {
    const auto n = static_cast<double>(before);
    const auto k = static_cast<double>(rows);
    const double delta = mean - task.mean[at];
    mean = task.mean[at] + delta * k / (n + k);
    square += task.square[at] + delta * delta * n * k / (n + k);
    units += task.unit_sum[at];
  }
  task.mean[at] = mean;
  task.square[at] = square;
  task.unit_sum[at] = units;
}

/// The figures of all threads of the block, in every thread.
__device__ inline RowFigures join_figures(const RowFigures& figures) {
  return {block_reduce<Sum>(figures.norm_sum), block_reduce<Max>(figures.max_norm),
          block_reduce<Sum>(figures.square_sum), block_reduce<Sum>(figures.non_finite),
          block_reduce<Sum>(figures.directed)};
}

/// One block a stretch.
template <StatisticsFigures kFigures>
__global__ void __launch_bounds__(kStatisticsThreads)
    embedding_stretch_kernel(const __grid_constant__ EmbeddingStatisticsTask task) {
  __shared__ double reciprocals[kStatisticsTile];
  const std::int64_t first = blockIdx.x * task.cuts.stretch_rows;
  const std::int64_t end = min(first + task.cuts.stretch_rows, task.table.rows);
  RowFigures figures{};
  for (std::int64_t begin = first; begin < end; begin += kStatisticsTile) {
    const int rows = static_cast<int>(min(end - begin, std::int64_t{kStatisticsTile}));
    sum_norms(task.table, begin, rows, reciprocals, figures);
    if constexpr (kFigures == StatisticsFigures::kNorms) continue;
    __syncthreads();
    for (std::int64_t c = threadIdx.x; c < task.table.cols; c += kStatisticsThreads) {
      merge_tile(task, begin, rows, begin - first, reciprocals, c);
    }
    __syncthreads();
  }
  const RowFigures joined = join_figures(figures);
  if (threadIdx.x == 0) task.figures[blockIdx.x] = joined;
}

/// Block 0 joins the figures; the others merge one column a thread, stretch after stretch.
__global__ void __launch_bounds__(kStatisticsThreads)
    embedding_merge_kernel(const __grid_constant__ EmbeddingStatisticsTask task) {
  const StatisticsCuts& cuts = task.cuts;
  if (blockIdx.x == 0) {
    RowFigures figures{};
    for (std::int64_t s = threadIdx.x; s < cuts.stretches; s += kStatisticsThreads) {
      figures.norm_sum += task.figures[s].norm_sum;
      figures.max_norm = fmax(figures.max_norm, task.figures[s].max_norm);
      figures.square_sum += task.figures[s].square_sum;
      figures.non_finite += task.figures[s].non_finite;
      figures.directed += task.figures[s].directed;
    }
    const RowFigures joined = join_figures(figures);  // its barriers come after all reads
    if (threadIdx.x == 0) task.figures[0] = joined;
    return;
  }
  const std::int64_t cols = task.table.cols;
  const std::int64_t c =
      static_cast<std::int64_t>(blockIdx.x - 1) * kStatisticsThreads + threadIdx.x;
  if (c >= cols) return;
  double mean = task.mean[c];
  double square = task.square[c];
  double units = task.unit_sum[c];
  for (std::int64_t s = 1; s < cuts.stretches; ++s) {
    const std::int64_t begin = s * cuts.stretch_rows;
    const auto n = static_cast<double>(begin);
    const auto k = static_cast<double>(min(cuts.stretch_rows, task.table.rows - begin));
    const double delta = task.mean[s * cols + c] - mean;
    mean += delta * k / (n + k);
    square += task.square[s * cols + c] + delta * delta * n * k / (n + k);
    units += task.unit_sum[s * cols + c];
  }
  task.mean[c] = mean;
  task.square[c] = square;
  task.unit_sum[c] = units;
}

/// One block a tile of the upper half of XᵀX and a split. Grid: (tiles², splits).
__global__ void __launch_bounds__(kStatisticsThreads)
    embedding_gram_kernel(const __grid_constant__ EmbeddingStatisticsTask task, int tiles) {
  __shared__ float left[kGramRows][kGramTile];
  __shared__ float right[kGramRows][kGramTile];
  const int tile_row = static_cast<int>(blockIdx.x) / tiles;
  const int tile_col = static_cast<int>(blockIdx.x) % tiles;
  if (tile_row > tile_col) return;  // XᵀX is symmetric
  const MatrixView<const float>& table = task.table;
  const std::int64_t end = min((blockIdx.y + 1) * task.cuts.split_rows, table.rows);
  const int i = static_cast<int>(threadIdx.x) / 16;
  const int j = static_cast<int>(threadIdx.x) % 16;
  double sum[2][2] = {};
  for (std::int64_t begin = blockIdx.y * task.cuts.split_rows; begin < end; begin += kGramRows) {
    for (int at = static_cast<int>(threadIdx.x); at < kGramRows * kGramTile;
         at += kStatisticsThreads) {
      const int r = at / kGramTile;
      const int c = at % kGramTile;
      const std::int64_t x = static_cast<std::int64_t>(tile_row) * kGramTile + c;
      const std::int64_t y = static_cast<std::int64_t>(tile_col) * kGramTile + c;
      const bool inside = begin + r < end;
      left[r][c] = inside && x < table.cols ? table(begin + r, x) : 0.0F;
      right[r][c] = inside && y < table.cols ? table(begin + r, y) : 0.0F;
    }
    __syncthreads();
#pragma unroll 4
    for (int r = 0; r < kGramRows; ++r) {
      const double x[2] = {left[r][i], left[r][i + 16]};
      const double y[2] = {right[r][j], right[r][j + 16]};
      for (int a = 0; a < 2; ++a) {
        for (int b = 0; b < 2; ++b) sum[a][b] = ::fma(x[a], y[b], sum[a][b]);
      }
    }
    __syncthreads();
  }
  double* gram = task.gram + blockIdx.y * table.cols * table.cols;
  for (int a = 0; a < 2; ++a) {
    for (int b = 0; b < 2; ++b) {
      const std::int64_t x = static_cast<std::int64_t>(tile_row) * kGramTile + i + 16 * a;
      const std::int64_t y = static_cast<std::int64_t>(tile_col) * kGramTile + j + 16 * b;
      if (x < table.cols && y < table.cols) gram[x * table.cols + y] = sum[a][b];
    }
  }
}

/// Adds the splits in order; one thread an element on or above the diagonal, which writes both
/// halves. No other thread reads these elements.
__global__ void __launch_bounds__(kStatisticsThreads)
    embedding_gram_merge_kernel(const __grid_constant__ EmbeddingStatisticsTask task) {
  const std::int64_t cols = task.table.cols;
  const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * kStatisticsThreads + threadIdx.x;
  if (at >= cols * cols) return;
  const std::int64_t x = at / cols;
  const std::int64_t y = at % cols;
  if (x > y) return;
  double sum = 0.0;
  for (std::int64_t s = 0; s < task.cuts.splits; ++s) sum += task.gram[s * cols * cols + at];
  task.gram[at] = sum;
  task.gram[y * cols + x] = sum;
}

LaunchShape statistics_shape(std::int64_t blocks, std::int64_t blocks_y = 1) {
  return {.blocks = blocks, .threads = kStatisticsThreads, .blocks_y = blocks_y};
}

void launch_norms(const Queue& queue, const EmbeddingStatisticsTask& task) {
  const Launcher launch(queue);
  launch(statistics_shape(task.cuts.stretches), embedding_stretch_kernel<StatisticsFigures::kNorms>,
         task);
  launch(statistics_shape(1), embedding_merge_kernel, task);  // the block of the figures
}

void launch_embedding_statistics(const Queue& queue, const EmbeddingStatisticsTask& task) {
  const Launcher launch(queue);
  const std::int64_t cols = task.table.cols;
  launch(statistics_shape(task.cuts.stretches), embedding_stretch_kernel<StatisticsFigures::kAll>,
         task);
  launch(statistics_shape(1 + ceil_div(cols, kStatisticsThreads)), embedding_merge_kernel, task);
  const std::int64_t tiles = ceil_div(cols, kGramTile);
  launch(statistics_shape(tiles * tiles, task.cuts.splits), embedding_gram_kernel, task,
         static_cast<int>(tiles));
  launch(statistics_shape(ceil_div(cols * cols, kStatisticsThreads)), embedding_gram_merge_kernel,
         task);
}

/// The first row of the figures, which holds the totals.
Moments read_totals(const DeviceArray<RowFigures>& figures, std::int64_t rows) {
  RowFigures totals{};
  figures.download(std::span<RowFigures>(&totals, 1));
  Moments moments;
  moments.rows = rows;
  moments.non_finite = totals.non_finite;
  moments.directed = totals.directed;
  moments.norm_sum = totals.norm_sum;
  moments.max_norm = totals.max_norm;
  moments.square_sum = totals.square_sum;
  return moments;
}

std::vector<double> read(const DeviceArray<double>& array, std::int64_t count) {
  std::vector<double> values(static_cast<std::size_t>(count));
  array.download(values);
  return values;
}

}  // namespace

EmbeddingStatistics CudaBackend::embedding_statistics(const Matrix& embeddings,
                                                      StatisticsFigures wanted) {
  const Range range("embedding_statistics");
  check_embedding_statistics(embeddings);
  expect_not_recording("embedding_statistics");
  const DeviceScope scope = use_device();
  const MatrixView<const float> table = read_only_view(embeddings);
  const std::int64_t cols = table.cols;
  if (table.rows == 0 || cols == 0) return empty_statistics(table.rows, cols, wanted);
  const StatisticsCuts cuts = cut_statistics(table.rows, cols);
  const DeviceArray<RowFigures> figures(cuts.stretches, pool_memory());
  if (wanted == StatisticsFigures::kNorms) {
    launch_norms(queue(), {.table = table, .cuts = cuts, .figures = figures.data()});
    return summarize(read_totals(figures, table.rows), cols, wanted);
  }
  const DeviceArray<double> unit_sum(cuts.stretches * cols, pool_memory());
  const DeviceArray<double> mean(cuts.stretches * cols, pool_memory());
  const DeviceArray<double> square(cuts.stretches * cols, pool_memory());
  const DeviceArray<double> gram(cuts.splits * cols * cols, pool_memory());
  launch_embedding_statistics(queue(), {.table = table,
                                        .cuts = cuts,
                                        .figures = figures.data(),
                                        .unit_sum = unit_sum.data(),
                                        .mean = mean.data(),
                                        .square = square.data(),
                                        .gram = gram.data()});
  Moments moments = read_totals(figures, table.rows);
  moments.unit_sum = read(unit_sum, cols);
  moments.mean = read(mean, cols);
  moments.square = read(square, cols);
  moments.gram = read(gram, cols * cols);
  return summarize(std::move(moments), cols, wanted);
}

}  // namespace tern::cuda
