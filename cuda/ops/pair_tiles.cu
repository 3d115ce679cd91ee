// Products of unit rows over all pairs of rows and columns, one kernel for all passes (TilePass): a
// block handles a tile of 64 rows and, one after the other, some tiles of 64 columns (PairCuts). For
// each of these it
//
// 1. computes the logits from the unit rows, in slices of 32 of their D columns;
// 2. turns them into shares, in shared memory;
// 3. adds shares · unit rows of the columns to the gradients of its rows, in registers.
//
// In the pass over left rows a share is 2^(logit - largest), with the largest logit of the row so far:
// when it grows, sum and gradient are scaled down. In the pass over right rows the columns' largest
// logits and sums are known. Both add the products of a logit in the same order, so that it has the
// same bits. In the pass that spreads one table, logits are at most 0 and need no largest one.
//
// A thread has 8 rows and 4 columns of a tile, and 8 rows and 4 or 8 columns of the gradient: 12
// vectors read from shared memory for 128 multiplications. Rows in shared memory are an odd number of
// vectors apart: threads with neighbouring rows read from different banks.

#include <cmath>

#include "cuda/ops/in_batch_softmax_mask.cuh"
#include "cuda/ops/pair_tiles.cuh"
#include "cuda/support/group.cuh"
#include "cuda/support/launch.hpp"
#include "cuda/support/vector.cuh"

namespace tern::cuda {
namespace {

/// Loads rows [first, first + kPairTile) of a table of pairs.count.
template <TilePass kPass, int kTable>
__device__ inline void load_pairs(const PairTiles& task, int first, TilePairs& pairs) {
  const int i = static_cast<int>(threadIdx.x);
  if (i >= kPairTile) return;
  const int t = first + i;
  NodeId key = 0;
  float shift = 0.0F;
  float weight = 0.0F;
  if (t < pairs.count) {
    if (kPass != TilePass::kSpread && task.mask != SoftmaxMask::kNone) key = task.keys[kTable][t];
    if constexpr (kTable == 1 || kPass == TilePass::kSpread) {
      shift = task.biases[t];
    } else if constexpr (kPass == TilePass::kRight) {
      shift = -task.maxima[t];
      weight = task.weights[t];
    }
  }
  pairs.keys[i] = key;
  pairs.shifts[i] = shift;
  pairs.weights[i] = weight;
}

/// Copies vectors [from, from + kWidth) of unit rows [first, first + kPairTile) to shared memory;
/// rows beyond the batch are zero, vectors beyond the width are left out.
template <int kWidth>
__device__ inline void load_rows(const PairTiles& task, const float* units, int first, int count,
                                 int from, float4* to) {
  const int vectors = static_cast<int>(task.stride / kVector);
#pragma unroll
  for (int e = static_cast<int>(threadIdx.x); e < kPairTile * kWidth; e += kTileThreads) {
    const int row = e / kWidth;
    const int v = e % kWidth;
    if (from + v >= vectors) continue;
    const std::int64_t at = static_cast<std::int64_t>(first + row) * vectors + from + v;
    to[row * (kWidth + 1) + v] =
        first + row < count ? __ldg(as_vectors(units) + at) : zero_vector();
  }
}

/// Cosines of the block's rows and a tile of columns. All threads; operands are free before.
template <TilePass kPass>
__device__ inline void add_cosines(const PairTiles& task, const TilePlace<kPass>& place,
                                   const TileThread& thread, int first_column,
                                   const TilePairs& row_pairs, const TilePairs& column_pairs,
                                   float4* operands, TileLogits& cosines) {
  constexpr int kRows = kRowTable<kPass>;
  const int vectors = static_cast<int>(task.stride / kVector);
  float4* rows = operands;
  float4* columns = operands + kPairTile * kSliceStride;
  int from = 0;
  do {  // once without columns too: the barriers publish more than these rows
    load_rows<kTileSlice>(task, task.units[kRows], place.first, row_pairs.count, from, rows);
    load_rows<kTileSlice>(task, task.units[1 - kRows], first_column, column_pairs.count, from,
                          columns);
    __syncthreads();
    const int width = min(vectors - from, kTileSlice);
#pragma unroll 1  // 128 multiplications are long enough; unrolled, registers run out
    for (int v = 0; v < width; ++v) {
      float4 column[kTileColumns];
#pragma unroll
      for (int j = 0; j < kTileColumns; ++j) {
        column[j] = columns[thread.column(j) * kSliceStride + v];
      }
#pragma unroll
      for (int i = 0; i < kTileRows; ++i) {
        const float4 row = rows[thread.row(i) * kSliceStride + v];
#pragma unroll
        for (int j = 0; j < kTileColumns; ++j) {
          cosines[i][j] = dot(row, column[j], cosines[i][j]);
        }
      }
    }
    __syncthreads();
    from += kTileSlice;
  } while (from < vectors);
}

/// The largest logit of each row so far and the sum of its shares, in shared memory, as registers are
/// short. The threads that share a row read both, and the first of them writes.
struct TileRunning {
  float largest[kPairTile];
  float sums[kPairTile];

  __device__ void clear() {
    const int i = static_cast<int>(threadIdx.x);
    if (i >= kPairTile) return;
    largest[i] = -INFINITY;
    sums[i] = 0.0F;
  }

  /// Adds the logits of a row, and turns them into shares. Returns the factor of former shares.
  __device__ float add(int row, float (&logits)[kTileColumns]) {
    const LaneGroup<kTileRowLanes> lanes;
    const float before = largest[row];
    float now = before;
#pragma unroll
    for (int j = 0; j < kTileColumns; ++j) now = fmaxf(now, logits[j]);
#pragma unroll
    for (int distance = kTileRowLanes / 2; distance > 0; distance /= 2) {
      now = fmaxf(now, __shfl_xor_sync(lanes.mask(), now, distance, kTileRowLanes));
    }
    const float base = now == -INFINITY ? 0.0F : now;
    float sum = 0.0F;
#pragma unroll
    for (int j = 0; j < kTileColumns; ++j) {
      logits[j] = exp2f(logits[j] - base);
      sum += logits[j];
    }
    sum = lanes.sum(sum);
    const float factor = exp2f(before - base);
    __syncwarp(lanes.mask());  // all have read
    if (lanes.lane == 0) {
      largest[row] = now;
      sums[row] = fmaf(sums[row], factor, sum);
    }
    return factor;
  }

  /// Turns logits, at most 0, into shares, and adds them.
  __device__ void add_powers(int row, float (&logits)[kTileColumns]) {
    const LaneGroup<kTileRowLanes> lanes;
    float sum = 0.0F;
#pragma unroll
    for (int j = 0; j < kTileColumns; ++j) {
      logits[j] = exp2f(logits[j]);
      sum += logits[j];
    }
    sum = lanes.sum(sum);
    if (lanes.lane == 0) sums[row] += sum;
  }
};

/// shares · unit rows of the columns, for one chunk of their vectors.
__device__ inline void add_shares(const TileThread& thread, const float4* shares,
                                  const float4* columns, float4 (&gradient)[kTileRows]) {
#pragma unroll 1  // as above
  for (int c = 0; c < kPairTile; c += static_cast<int>(kVector)) {
    float4 column[kVector];
#pragma unroll
    for (int k = 0; k < static_cast<int>(kVector); ++k) {
      column[k] = columns[(c + k) * kChunkStride + thread.lane];
    }
#pragma unroll
    for (int i = 0; i < kTileRows; ++i) {
      const float4 share = shares[thread.row(i) * kShareStride + c / static_cast<int>(kVector)];
      gradient[i] = fma(share.x, column[0], gradient[i]);
      gradient[i] = fma(share.y, column[1], gradient[i]);
      gradient[i] = fma(share.z, column[2], gradient[i]);
      gradient[i] = fma(share.w, column[3], gradient[i]);
    }
  }
}

/// The logits of a tile as powers of two, -inf for excluded pairs. In the pass over right rows, the
/// largest logit of each column is taken off.
template <TilePass kPass>
__device__ inline void to_logits(const TileThread& thread, float sharpness, unsigned excluded,
                                 const TilePairs& rows, const TilePairs& columns,
                                 TileLogits& values) {
#pragma unroll
  for (int i = 0; i < kTileRows; ++i) {
#pragma unroll
    for (int j = 0; j < kTileColumns; ++j) {
      const float bias =
          kPass != TilePass::kRight ? columns.shifts[thread.column(j)] : rows.shifts[thread.row(i)];
      float logit = fmaf(sharpness, values[i][j], bias);
      if constexpr (kPass == TilePass::kRight) logit += columns.shifts[thread.column(j)];
      if constexpr (kPass == TilePass::kSpread) logit += rows.shifts[thread.row(i)];
      values[i][j] = (excluded >> (i * kTileColumns + j) & 1u) != 0 ? -INFINITY : logit;
    }
  }
}

/// Turns logits into shares, and scales the gradient down if a row's largest logit has grown.
template <TilePass kPass, int kChunks>
__device__ inline void write_shares(const TileThread& thread, const TilePairs& columns,
                                    TileLogits& logits, TileRunning& running,
                                    float4 (&gradient)[kChunks][kTileRows], float4* shares) {
#pragma unroll
  for (int i = 0; i < kTileRows; ++i) {
    if constexpr (kPass == TilePass::kSpread) running.add_powers(thread.row(i), logits[i]);
    if constexpr (kPass == TilePass::kLeft) {
      const float factor = running.add(thread.row(i), logits[i]);
#pragma unroll
      for (int h = 0; h < kChunks; ++h) gradient[h][i] = scale(factor, gradient[h][i]);
    }
    auto* row = reinterpret_cast<float*>(shares + thread.row(i) * kShareStride);
#pragma unroll
    for (int j = 0; j < kTileColumns; ++j) {
      const int c = thread.column(j);
      row[c] = kPass != TilePass::kRight ? logits[i][j] : exp2f(logits[i][j]) * columns.weights[c];
    }
  }
}

/// Writes the block's part of its rows' gradients, largest logits and sums.
template <TilePass kPass, int kChunks>
__device__ inline void write_partials(const PairTiles& task, const TilePlace<kPass>& place,
                                      const TileThread& thread, const TilePairs& rows,
                                      const TileRunning& running,
                                      const float4 (&gradient)[kChunks][kTileRows]) {
  const int vectors = static_cast<int>(task.stride / kVector);
  const int from = static_cast<int>(blockIdx.y) * kChunks * kTileChunk;
#pragma unroll
  for (int i = 0; i < kTileRows; ++i) {
    const int row = place.first + thread.row(i);
    if (row >= rows.count) continue;
    const std::int64_t at = place.split(task) * task.sizes[kRowTable<kPass>] + row;
    if (kPass != TilePass::kRight && thread.lane == 0 && blockIdx.y == 0) {
      if (kPass == TilePass::kLeft) task.split_maxima[at] = running.largest[thread.row(i)];
      task.split_sums[at] = running.sums[thread.row(i)];
    }
#pragma unroll
    for (int h = 0; h < kChunks; ++h) {
      const int v = from + h * kTileChunk + thread.lane;
      if (v < vectors) as_vectors(task.partials + at * task.stride)[v] = gradient[h][i];
    }
  }
}

/// Grid: (tiles of rows · splits, chunks of the gradients' columns).
template <TilePass kPass, int kChunks>
__global__ void __launch_bounds__(kTileThreads, kTileBlocks<kChunks>)
    pair_tiles_kernel(const __grid_constant__ PairTiles task) {
  __shared__ float4 operands[kOperands];
  __shared__ float4 shares[kPairTile * kShareStride];
  __shared__ TilePairs rows;
  __shared__ TilePairs columns;
  __shared__ TileRunning running;
  constexpr int kColumnTable = 1 - kRowTable<kPass>;
  const auto lefts = static_cast<int>(task.rows());
  const auto rights = static_cast<int>(task.columns());
  const TilePlace<kPass> place(task, kColumnTable == 0 ? lefts : rights);
  if (place.first >= (kColumnTable == 0 ? rights : lefts)) return;
  if (threadIdx.x == 0) {
    rows.count = kColumnTable == 0 ? rights : lefts;
    columns.count = kColumnTable == 0 ? lefts : rights;
  }
  __syncthreads();
  const TileThread thread;
  const int from = static_cast<int>(blockIdx.y) * kChunks * kTileChunk;
  float4 gradient[kChunks][kTileRows];
#pragma unroll
  for (int i = 0; i < kTileRows * kChunks; ++i) {
    gradient[i / kTileRows][i % kTileRows] = zero_vector();
  }
  if constexpr (kPass != TilePass::kRight) running.clear();
  load_pairs<kPass, kRowTable<kPass>>(task, place.first, rows);
  __syncthreads();  // in a short batch no tile may follow
  for (int tile = place.begin; tile < place.end; ++tile) {
    const int first_column = tile * kPairTile;
    load_pairs<kPass, kColumnTable>(task, first_column, columns);
    TileLogits logits = {};
    add_cosines<kPass>(task, place, thread, first_column, rows, columns, operands, logits);
    const unsigned excluded =
        excluded_pairs<kPass>(task, place, thread, first_column, rows, columns);
    to_logits<kPass>(thread, task.sharpness, excluded, rows, columns, logits);
    write_shares<kPass>(thread, columns, logits, running, gradient, shares);
#pragma unroll
    for (int h = 0; h < kChunks; ++h) {
      load_rows<kTileChunk>(task, task.units[kColumnTable], first_column, columns.count,
                            from + h * kTileChunk, operands);
      __syncthreads();
      if (from + h * kTileChunk + thread.lane < task.stride / kVector) {
        add_shares(thread, shares, operands, gradient[h]);
      }
      __syncthreads();
    }
  }
  write_partials<kPass, kChunks>(task, place, thread, rows, running, gradient);
}

template <TilePass kPass>
void launch_tiles(const Queue& queue, const PairTiles& task) {
  const Launcher launch(queue);
  const std::int64_t chunks = ceil_div(task.stride / kVector, kTileChunk);
  constexpr int kTable = kPass == TilePass::kRight ? 1 : 0;
  LaunchShape shape{.blocks = ceil_div(task.sizes[kTable], kPairTile) * task.cuts[kTable].splits,
                    .threads = kTileThreads};
  // Each block of a row of the grid computes the logits again, so one block has up to 128 columns of
  // the gradients: with more, the registers of two blocks would not fit a multiprocessor.
  if (chunks <= 1) {
    launch(shape, pair_tiles_kernel<kPass, 1>, task);
  } else {
    shape.blocks_y = ceil_div(chunks, 2);
    launch(shape, pair_tiles_kernel<kPass, 2>, task);
  }
}

}  // namespace

void launch_pair_tiles(const Queue& queue, const PairTiles& task, TilePass pass) {
  switch (pass) {
    case TilePass::kLeft:
      return launch_tiles<TilePass::kLeft>(queue, task);
    case TilePass::kRight:
      return launch_tiles<TilePass::kRight>(queue, task);
    case TilePass::kSpread:
      return launch_tiles<TilePass::kSpread>(queue, task);
  }
}

}  // namespace tern::cuda
