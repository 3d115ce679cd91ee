// The two passes of in_batch_softmax over B² pairs, one kernel for both: a block handles a tile of
// 64 rows and, one after the other, some tiles of 64 columns (SoftmaxCuts). For each of these it
//
// 1. computes the logits from the unit rows, in slices of 32 of their D columns;
// 2. turns them into shares, in shared memory;
// 3. adds shares · unit rows of the columns to the gradients of its rows, in registers.
//
// In the pass over users, rows are users and columns items. A share is 2^(logit - largest), with the
// largest logit of the row so far: when it grows, sum and gradient are scaled down. In the pass over
// items, rows are items and columns users, whose largest logit and sum are known. Both passes add
// the products of a logit in the same order, so that it has the same bits.
//
// A thread has 8 rows and 4 columns of a tile, and 8 rows and 4 or 8 columns of the gradient: 12
// vectors read from shared memory for 128 multiplications. Rows in shared memory are an odd number of
// vectors apart: threads with neighbouring rows read from different banks.

#include <cmath>

#include "cuda/ops/in_batch_softmax.hpp"
#include "cuda/support/group.cuh"
#include "cuda/support/launch.hpp"
#include "cuda/support/vector.cuh"

namespace tern::cuda {
namespace {

constexpr int kSoftmaxTileThreads = 128;
/// Blocks on a multiprocessor for 64 columns of the gradient, and for 128: 16 warps with 128 registers
/// a thread, 8 or more with up to 255 (ptxas 13.0: no spills on any architecture; not measured yet).
template <int kChunks>
constexpr int kSoftmaxTileBlocks = kChunks == 1 ? 4 : 2;
/// Threads that share rows, and the rows and columns of each thread.
constexpr int kSoftmaxRowLanes = 16;
constexpr int kSoftmaxRowGroups = kSoftmaxTileThreads / kSoftmaxRowLanes;
constexpr int kSoftmaxRows = kSoftmaxTile / kSoftmaxRowGroups;
constexpr int kSoftmaxColumns = kSoftmaxTile / kSoftmaxRowLanes;
/// Vectors of a unit row in a slice of logits, and of the gradient that a thread group has at once.
constexpr int kSoftmaxSlice = 8;
constexpr int kSoftmaxChunk = kSoftmaxRowLanes;
/// Vectors from row to row in shared memory.
constexpr int kSliceStride = kSoftmaxSlice + 1;
constexpr int kChunkStride = kSoftmaxChunk + 1;
constexpr int kShareStride = kSoftmaxTile / static_cast<int>(kVector) + 1;
constexpr int kOperands = kSoftmaxTile * 2 * kSliceStride;
static_assert(kOperands >= kSoftmaxTile * kChunkStride);

/// The pairs of a tile's rows or columns, in shared memory.
struct SoftmaxPairs {
  NodeId keys[kSoftmaxTile];    // of a user's side: item or user, as the mask asks; else the item
  float shifts[kSoftmaxTile];   // added to the logits: bias of an item, minus the largest of a user
  float weights[kSoftmaxTile];  // of users in the pass over items
};

/// A block's rows [first, first + kSoftmaxTile), and its tiles [begin, end) of columns.
struct SoftmaxPlace {
  int count;
  int first;
  int begin;
  int end;

  __device__ explicit SoftmaxPlace(const SoftmaxTask& task)
      : count(static_cast<int>(task.batch.state->count)),
        first(static_cast<int>(blockIdx.x) / task.cuts.splits * kSoftmaxTile),
        begin(split(task) * task.cuts.tiles),
        end(min(begin + task.cuts.tiles, (count + kSoftmaxTile - 1) / kSoftmaxTile)) {}
  __device__ static int split(const SoftmaxTask& task) {
    return static_cast<int>(blockIdx.x) % task.cuts.splits;
  }
};

/// Whether the user has the item.
__device__ inline bool has_item(const CsrView& observed, NodeId user, NodeId item) {
  EdgeOffset low = observed.offsets[user];
  EdgeOffset high = observed.offsets[user + 1];
  while (low < high) {
    const EdgeOffset middle = low + (high - low) / 2;
    if (__ldg(observed.columns + middle) < item) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < observed.offsets[user + 1] && observed.columns[low] == item;
}

/// Loads pairs [first, first + kSoftmaxTile) as users or items; kPass: whose gradients are added up.
template <Side kSide, Side kPass>
__device__ inline void load_pairs(const SoftmaxTask& task, int first, int count,
                                  SoftmaxPairs& pairs) {
  const int i = static_cast<int>(threadIdx.x);
  if (i >= kSoftmaxTile) return;
  const int t = first + i;
  NodeId key = 0;
  float shift = 0.0F;
  float weight = 0.0F;
  if (t < count) {
    const Triplet& triplet = task.batch.triplets[task.batch.state->first + t];
    const bool user = kSide == Side::kUser && task.mask == SoftmaxMask::kObserved;
    key = user ? triplet.user : triplet.positive;
    if constexpr (kSide == Side::kItem) {
      shift = task.biases[t];
    } else if constexpr (kPass == Side::kItem) {
      shift = -task.maxima[t];
      weight = task.weights[t];
    }
  }
  pairs.keys[i] = key;
  pairs.shifts[i] = shift;
  pairs.weights[i] = weight;
}

/// Copies vectors [from, from + kWidth) of unit rows [first, first + kSoftmaxTile) to shared memory;
/// rows beyond the batch are zero, vectors beyond the width are left out.
template <int kWidth>
__device__ inline void load_rows(const SoftmaxTask& task, const float* units, int first, int count,
                                 int from, float4* to) {
  const int vectors = static_cast<int>(task.stride / kVector);
#pragma unroll
  for (int e = static_cast<int>(threadIdx.x); e < kSoftmaxTile * kWidth; e += kSoftmaxTileThreads) {
    const int row = e / kWidth;
    const int v = e % kWidth;
    if (from + v >= vectors) continue;
    const std::int64_t at = static_cast<std::int64_t>(first + row) * vectors + from + v;
    to[row * (kWidth + 1) + v] =
        first + row < count ? __ldg(as_vectors(units) + at) : zero_vector();
  }
}

/// This thread's rows are group + kSoftmaxRowGroups · i, its columns lane + kSoftmaxRowLanes · j.
struct SoftmaxThread {
  int lane = static_cast<int>(threadIdx.x) % kSoftmaxRowLanes;
  int group = static_cast<int>(threadIdx.x) / kSoftmaxRowLanes;

  __device__ SoftmaxThread() {}
  __device__ int row(int i) const { return group + kSoftmaxRowGroups * i; }
  __device__ int column(int j) const { return lane + kSoftmaxRowLanes * j; }
};

using SoftmaxLogits = float[kSoftmaxRows][kSoftmaxColumns];

/// Cosines of the block's rows and a tile of columns. All threads; operands are free before.
template <Side kPass>
__device__ inline void add_cosines(const SoftmaxTask& task, const SoftmaxPlace& place,
                                   const SoftmaxThread& thread, int first_column, float4* operands,
                                   SoftmaxLogits& cosines) {
  constexpr int kRowSide = static_cast<int>(kPass);
  const int vectors = static_cast<int>(task.stride / kVector);
  float4* rows = operands;
  float4* columns = operands + kSoftmaxTile * kSliceStride;
  int from = 0;
  do {  // once without columns too: the barriers publish more than these rows
    load_rows<kSoftmaxSlice>(task, task.units[kRowSide], place.first, place.count, from, rows);
    load_rows<kSoftmaxSlice>(task, task.units[1 - kRowSide], first_column, place.count, from,
                             columns);
    __syncthreads();
    const int width = min(vectors - from, kSoftmaxSlice);
#pragma unroll 1  // 128 multiplications are long enough; unrolled, registers run out
    for (int v = 0; v < width; ++v) {
      float4 column[kSoftmaxColumns];
#pragma unroll
      for (int j = 0; j < kSoftmaxColumns; ++j) {
        column[j] = columns[thread.column(j) * kSliceStride + v];
      }
#pragma unroll
      for (int i = 0; i < kSoftmaxRows; ++i) {
        const float4 row = rows[thread.row(i) * kSliceStride + v];
#pragma unroll
        for (int j = 0; j < kSoftmaxColumns; ++j) {
          cosines[i][j] = dot(row, column[j], cosines[i][j]);
        }
      }
    }
    __syncthreads();
    from += kSoftmaxSlice;
  } while (from < vectors);
}

/// Bit kSoftmaxColumns · i + j: the thread's row i and column j are no pair of the sum.
template <Side kPass>
__device__ inline unsigned excluded_pairs(const SoftmaxTask& task, const SoftmaxPlace& place,
                                          const SoftmaxThread& thread, int first_column,
                                          const SoftmaxPairs& rows, const SoftmaxPairs& columns) {
  const SoftmaxMask mask = task.mask;
  const bool edge = max(place.first, first_column) + kSoftmaxTile > place.count;
  if (mask == SoftmaxMask::kNone && !edge && place.first != first_column) return 0;
  unsigned excluded = 0;
#pragma unroll 1  // unrolled, the search takes most of the kernel's instructions
  for (int bit = 0; bit < kSoftmaxRows * kSoftmaxColumns; ++bit) {
    const int r = thread.row(bit / kSoftmaxColumns);
    const int c = thread.column(bit % kSoftmaxColumns);
    const int row = place.first + r;
    const int column = first_column + c;
    bool out = row == column || row >= place.count || column >= place.count;
    if (!out && mask != SoftmaxMask::kNone) {
      const NodeId user = kPass == Side::kUser ? rows.keys[r] : columns.keys[c];
      const NodeId item = kPass == Side::kUser ? columns.keys[c] : rows.keys[r];
      out = mask == SoftmaxMask::kSameItem ? user == item : has_item(task.observed, user, item);
    }
    excluded |= (out ? 1u : 0u) << bit;
  }
  return excluded;
}

/// The pass over users: the largest logit of each row so far and its sum, in shared memory, as
/// registers are short. The threads that share a row read both, and the first of them writes.
struct SoftmaxRunning {
  float largest[kSoftmaxTile];
  float sums[kSoftmaxTile];

  __device__ void clear() {
    const int i = static_cast<int>(threadIdx.x);
    if (i >= kSoftmaxTile) return;
    largest[i] = -INFINITY;
    sums[i] = 0.0F;
  }

  /// Adds the logits of a row, and turns them into shares. Returns the factor of former shares.
  __device__ float add(int row, float (&logits)[kSoftmaxColumns]) {
    const LaneGroup<kSoftmaxRowLanes> lanes;
    const float before = largest[row];
    float now = before;
#pragma unroll
    for (int j = 0; j < kSoftmaxColumns; ++j) now = fmaxf(now, logits[j]);
#pragma unroll
    for (int distance = kSoftmaxRowLanes / 2; distance > 0; distance /= 2) {
      now = fmaxf(now, __shfl_xor_sync(lanes.mask(), now, distance, kSoftmaxRowLanes));
    }
    const float base = now == -INFINITY ? 0.0F : now;
    float sum = 0.0F;
#pragma unroll
    for (int j = 0; j < kSoftmaxColumns; ++j) {
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
};

/// shares · unit rows of the columns, for one chunk of their vectors.
__device__ inline void add_shares(const SoftmaxThread& thread, const float4* shares,
                                  const float4* columns, float4 (&gradient)[kSoftmaxRows]) {
#pragma unroll 1  // as above
  for (int c = 0; c < kSoftmaxTile; c += static_cast<int>(kVector)) {
    float4 column[kVector];
#pragma unroll
    for (int k = 0; k < static_cast<int>(kVector); ++k) {
      column[k] = columns[(c + k) * kChunkStride + thread.lane];
    }
#pragma unroll
    for (int i = 0; i < kSoftmaxRows; ++i) {
      const float4 share = shares[thread.row(i) * kShareStride + c / static_cast<int>(kVector)];
      gradient[i] = fma(share.x, column[0], gradient[i]);
      gradient[i] = fma(share.y, column[1], gradient[i]);
      gradient[i] = fma(share.z, column[2], gradient[i]);
      gradient[i] = fma(share.w, column[3], gradient[i]);
    }
  }
}

/// The logits of a tile as powers of two, -inf for excluded pairs. In the pass over items, the
/// largest logit of each column is taken off.
template <Side kPass>
__device__ inline void to_logits(const SoftmaxThread& thread, float sharpness, unsigned excluded,
                                 const SoftmaxPairs& rows, const SoftmaxPairs& columns,
                                 SoftmaxLogits& values) {
#pragma unroll
  for (int i = 0; i < kSoftmaxRows; ++i) {
#pragma unroll
    for (int j = 0; j < kSoftmaxColumns; ++j) {
      const float bias =
          kPass == Side::kUser ? columns.shifts[thread.column(j)] : rows.shifts[thread.row(i)];
      float logit = fmaf(sharpness, values[i][j], bias);
      if constexpr (kPass == Side::kItem) logit += columns.shifts[thread.column(j)];
      values[i][j] = (excluded >> (i * kSoftmaxColumns + j) & 1u) != 0 ? -INFINITY : logit;
    }
  }
}

/// Turns logits into shares, and scales the gradient down if a row's largest logit has grown.
template <Side kPass, int kChunks>
__device__ inline void write_shares(const SoftmaxThread& thread, const SoftmaxPairs& columns,
                                    SoftmaxLogits& logits, SoftmaxRunning& running,
                                    float4 (&gradient)[kChunks][kSoftmaxRows], float4* shares) {
#pragma unroll
  for (int i = 0; i < kSoftmaxRows; ++i) {
    if constexpr (kPass == Side::kUser) {
      const float factor = running.add(thread.row(i), logits[i]);
#pragma unroll
      for (int h = 0; h < kChunks; ++h) gradient[h][i] = scale(factor, gradient[h][i]);
    }
    auto* row = reinterpret_cast<float*>(shares + thread.row(i) * kShareStride);
#pragma unroll
    for (int j = 0; j < kSoftmaxColumns; ++j) {
      const int c = thread.column(j);
      row[c] = kPass == Side::kUser ? logits[i][j] : exp2f(logits[i][j]) * columns.weights[c];
    }
  }
}

/// Writes the block's part of its rows' gradients, largest logits and sums.
template <Side kPass, int kChunks>
__device__ inline void write_partials(const SoftmaxTask& task, const SoftmaxPlace& place,
                                      const SoftmaxThread& thread, const SoftmaxRunning& running,
                                      const float4 (&gradient)[kChunks][kSoftmaxRows]) {
  const int vectors = static_cast<int>(task.stride / kVector);
  const int from = static_cast<int>(blockIdx.y) * kChunks * kSoftmaxChunk;
#pragma unroll
  for (int i = 0; i < kSoftmaxRows; ++i) {
    const int row = place.first + thread.row(i);
    if (row >= place.count) continue;
    const std::int64_t at = SoftmaxPlace::split(task) * task.size + row;
    if (kPass == Side::kUser && thread.lane == 0 && blockIdx.y == 0) {
      task.split_maxima[at] = running.largest[thread.row(i)];
      task.split_sums[at] = running.sums[thread.row(i)];
    }
#pragma unroll
    for (int h = 0; h < kChunks; ++h) {
      const int v = from + h * kSoftmaxChunk + thread.lane;
      if (v < vectors) as_vectors(task.partials + at * task.stride)[v] = gradient[h][i];
    }
  }
}

/// Grid: (tiles of rows · splits, chunks of the gradients' columns).
template <Side kPass, int kChunks>
__global__ void __launch_bounds__(kSoftmaxTileThreads, kSoftmaxTileBlocks<kChunks>)
    in_batch_softmax_tiles_kernel(const __grid_constant__ SoftmaxTask task) {
  __shared__ float4 operands[kOperands];
  __shared__ float4 shares[kSoftmaxTile * kShareStride];
  __shared__ SoftmaxPairs rows;
  __shared__ SoftmaxPairs columns;
  __shared__ SoftmaxRunning running;
  constexpr Side kOther = opposite(kPass);
  const SoftmaxPlace place(task);
  if (place.first >= place.count) return;
  const SoftmaxThread thread;
  const int from = static_cast<int>(blockIdx.y) * kChunks * kSoftmaxChunk;
  float4 gradient[kChunks][kSoftmaxRows];
#pragma unroll
  for (int i = 0; i < kSoftmaxRows * kChunks; ++i) {
    gradient[i / kSoftmaxRows][i % kSoftmaxRows] = zero_vector();
  }
  if constexpr (kPass == Side::kUser) running.clear();
  load_pairs<kPass, kPass>(task, place.first, place.count, rows);
  __syncthreads();  // in a short batch no tile may follow
  for (int tile = place.begin; tile < place.end; ++tile) {
    const int first_column = tile * kSoftmaxTile;
    load_pairs<kOther, kPass>(task, first_column, place.count, columns);
    SoftmaxLogits logits = {};
    add_cosines<kPass>(task, place, thread, first_column, operands, logits);
    const unsigned excluded =
        excluded_pairs<kPass>(task, place, thread, first_column, rows, columns);
    to_logits<kPass>(thread, task.sharpness, excluded, rows, columns, logits);
    write_shares<kPass>(thread, columns, logits, running, gradient, shares);
#pragma unroll
    for (int h = 0; h < kChunks; ++h) {
      load_rows<kSoftmaxChunk>(task, task.units[static_cast<int>(kOther)], first_column,
                               place.count, from + h * kSoftmaxChunk, operands);
      __syncthreads();
      if (from + h * kSoftmaxChunk + thread.lane < task.stride / kVector) {
        add_shares(thread, shares, operands, gradient[h]);
      }
      __syncthreads();
    }
  }
  write_partials<kPass, kChunks>(task, place, thread, running, gradient);
}

template <Side kPass>
void launch_tiles(const Queue& queue, const SoftmaxTask& task) {
  const Launcher launch(queue);
  const std::int64_t chunks = ceil_div(task.stride / kVector, kSoftmaxChunk);
  LaunchShape shape{.blocks = ceil_div(task.size, kSoftmaxTile) * task.cuts.splits,
                    .threads = kSoftmaxTileThreads};
  // Each block of a row of the grid computes the logits again, so one block has up to 128 columns of
  // the gradients: with more, the registers of two blocks would not fit a multiprocessor.
  if (chunks <= 1) {
    launch(shape, in_batch_softmax_tiles_kernel<kPass, 1>, task);
  } else {
    shape.blocks_y = ceil_div(chunks, 2);
    launch(shape, in_batch_softmax_tiles_kernel<kPass, 2>, task);
  }
}

}  // namespace

void launch_in_batch_softmax_tiles(const Queue& queue, const SoftmaxTask& task, Side side) {
  side == Side::kUser ? launch_tiles<Side::kUser>(queue, task)
                      : launch_tiles<Side::kItem>(queue, task);
}

}  // namespace tern::cuda
