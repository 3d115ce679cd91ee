#pragma once

// Shared by the kernels of sampled_contrast: unit rows, and the launch.

#include <cuda_runtime.h>

#include "cuda/ops/batch_row.cuh"
#include "cuda/ops/sampled_contrast.hpp"
#include "cuda/support/vector.cuh"

namespace tern::cuda {
namespace {

constexpr int kContrastThreads = kBatchRowThreads;
/// Up to 80 registers a thread, as kPairBlocks of pair_rows.cuh.
constexpr int kContrastBlocks = 3;
/// Rows that a group gathers at a time.
constexpr int kContrastAtOnce = 4;
constexpr double kContrastSmallestNorm = 1e-12;
/// The factor of a row whose divisor is a constant.
constexpr auto kContrastLargestFactor = static_cast<float>(1.0 / kContrastSmallestNorm);

/// This thread's row or pair, one group of `lanes` each, from block `first_block` on.
__device__ inline std::int64_t contrast_index(int lanes, int first_block = 0) {
  const std::int64_t block = static_cast<std::int64_t>(blockIdx.x) - first_block;
  return block * (kContrastThreads / lanes) + static_cast<int>(threadIdx.x) / lanes;
}

__device__ inline std::int64_t contrast_pairs(const ContrastTask& task) {
  return task.batch.state->count / task.negatives;
}

/// A row of one side, from which unit vectors are read.
struct ContrastRow {
  const float4* vectors;
  float inverse;

  __device__ ContrastRow(const ContrastTask& task, int side, NodeId node)
      : vectors(as_vectors(task.values[side].row(node))), inverse(task.inverses[side][node]) {}
  /// Vector `place` of ê.
  __device__ float4 unit(std::int64_t place) const {
    return scale(inverse, __ldg(vectors + place));
  }
};

}  // namespace
}  // namespace tern::cuda
