#pragma once

// The kernels between the products of in_batch_softmax_cublas.cu: unit rows before them, the softmax of
// the rows of the B×B matrix in place, the gradients' way back to the rows of the tables after them.

#include <cuda_runtime.h>

#include <cstdint>

#include "bench/variants/cuda/rival_lanes.cuh"
#include "cuda/support/block.cuh"
#include "cuda/support/group.cuh"
#include "tern/sampling.hpp"

namespace tern::cuda {

/// The first batch of pairs, and what a step needs for it. Rows have `stride` floats.
struct SoftmaxMatrixTask {
  const Triplet* pairs = nullptr;  // (count)
  MatrixView<const float> tables[2] = {};
  MatrixView<float> gradients[2] = {};
  float* units[2] = {};           // (count, stride)
  float* unit_gradients[2] = {};  // (count, stride)
  float* divisors[2] = {};        // (count): max(‖e‖, 1e-12)
  float* matrix = nullptr;        // (count, count): cosines, then ∂loss/∂cosine
  float* loss = nullptr;
  std::int64_t count = 0;
  std::int64_t stride = 0;
  float temperature = 1.0F;
};

namespace {

__device__ inline std::int64_t row_of_pair(const SoftmaxMatrixTask& task, int side,
                                           std::int64_t pair) {
  return side == 0 ? task.pairs[pair].user : task.pairs[pair].positive;
}

/// The pair of this warp, and its side as blockIdx.y.
__device__ inline std::int64_t pair_of_warp() {
  return static_cast<std::int64_t>(blockIdx.x) * (kRivalThreads / 32) + threadIdx.x / 32;
}

/// A warp a row. Also clears the gradient of the row.
__global__ void __launch_bounds__(kRivalThreads)
    unit_rows_kernel(const __grid_constant__ SoftmaxMatrixTask task) {
  const LaneGroup<32> warp;
  const std::int64_t pair = pair_of_warp();
  if (pair >= task.count) return;
  const int side = static_cast<int>(blockIdx.y);
  const std::int64_t row = row_of_pair(task, side, pair);
  const float4* values = as_vectors(task.tables[side].row(row));
  double square = 0.0;
  for (std::int64_t v = warp.lane; v < task.stride / kVector; v += 32) {
    square = dot(values[v], values[v], square);
  }
  const auto divisor = static_cast<float>(fmax(sqrt(warp.sum(square)), 1e-12));
  for (std::int64_t v = warp.lane; v < task.stride / kVector; v += 32) {
    as_vectors(task.units[side] + pair * task.stride)[v] = scale(1.0F / divisor, values[v]);
    as_vectors(task.gradients[side].row(row))[v] = make_float4(0.0F, 0.0F, 0.0F, 0.0F);
  }
  if (warp.lane == 0) task.divisors[side][pair] = divisor;
  if (pair == 0 && side == 0 && warp.lane == 0) *task.loss = 0.0F;
}

/// A block a row of the matrix.
__global__ void __launch_bounds__(kRivalThreads)
    softmax_rows_kernel(const __grid_constant__ SoftmaxMatrixTask task) {
  const std::int64_t t = blockIdx.x;
  float* row = task.matrix + t * task.count;
  const auto is_own = [&](std::int64_t j) { return j == t; };
  float largest = -INFINITY;
  for (std::int64_t j = threadIdx.x; j < task.count; j += kRivalThreads) {
    if (!is_own(j)) largest = fmaxf(largest, row[j]);
  }
  largest = block_reduce<Max>(largest);
  float sum = 0.0F;
  for (std::int64_t j = threadIdx.x; j < task.count; j += kRivalThreads) {
    if (!is_own(j)) sum += expf((row[j] - largest) / task.temperature);
  }
  sum = block_reduce<Sum>(sum);
  const float pull = 1.0F / (static_cast<float>(task.count) * task.temperature);
  const float own = row[t];
  __syncthreads();
  for (std::int64_t j = threadIdx.x; j < task.count; j += kRivalThreads) {
    row[j] = is_own(j) ? -pull : pull / sum * expf((row[j] - largest) / task.temperature);
  }
  if (threadIdx.x != 0) return;
  atomicAdd(task.loss,
            ((largest - own) / task.temperature + logf(sum)) / static_cast<float>(task.count));
}

/// A warp a row: through the normalisation, added to the gradient of the row.
__global__ void __launch_bounds__(kRivalThreads)
    add_gradients_kernel(const __grid_constant__ SoftmaxMatrixTask task) {
  const LaneGroup<32> warp;
  const std::int64_t pair = pair_of_warp();
  if (pair >= task.count) return;
  const int side = static_cast<int>(blockIdx.y);
  const float4* unit = as_vectors(task.units[side] + pair * task.stride);
  const float4* gradient = as_vectors(task.unit_gradients[side] + pair * task.stride);
  double along = 0.0;
  for (std::int64_t v = warp.lane; v < task.stride / kVector; v += 32) {
    along = dot(unit[v], gradient[v], along);
  }
  const auto leaves = static_cast<float>(warp.sum(along));
  float4* to = as_vectors(task.gradients[side].row(row_of_pair(task, side, pair)));
  for (std::int64_t v = warp.lane; v < task.stride / kVector; v += 32) {
    atomic_add(to + v, scale(1.0F / task.divisors[side][pair], fma(-leaves, unit[v], gradient[v])));
  }
}

/// The shape of the kernels with a warp a row.
inline LaunchShape shape_of_pair_rows(const SoftmaxMatrixTask& task) {
  return {
      .blocks = ceil_div(task.count, kRivalThreads / 32), .threads = kRivalThreads, .blocks_y = 2};
}

/// cosines(): fills task.matrix; gradients(): fills task.unit_gradients from it.
template <typename Launch, typename Cosines, typename Gradients>
void run_softmax_matrix(const Launch& launch, const SoftmaxMatrixTask& task, const Cosines& cosines,
                        const Gradients& gradients) {
  launch(shape_of_pair_rows(task), unit_rows_kernel, task);
  cosines();
  launch({.blocks = task.count, .threads = kRivalThreads}, softmax_rows_kernel, task);
  gradients();
  launch(shape_of_pair_rows(task), add_gradients_kernel, task);
}

}  // namespace
}  // namespace tern::cuda
