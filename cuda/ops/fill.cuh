#pragma once

// A matrix (N, D) set to one value: 4·N·D bytes written, one thread a vector.

#include "cuda/ops/fill.hpp"

#include "cuda/support/launch_shape.hpp"
#include "cuda/support/vector.cuh"

namespace tern::cuda {
namespace {

constexpr int kFillThreads = 256;

__global__ void __launch_bounds__(kFillThreads) fill_kernel(MatrixView<float> matrix, float value) {
  const std::int64_t vectors = matrix.stride / kVector;
  const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * kFillThreads + threadIdx.x;
  if (at >= matrix.rows * vectors) return;
  const std::int64_t used = matrix.cols - at % vectors * kVector;
  as_vectors(matrix.data)[at] =
      make_float4(value, used > 1 ? value : 0.0F, used > 2 ? value : 0.0F, used > 3 ? value : 0.0F);
}

template <typename Launch>
void run_fill(const Launch& launch, const MatrixView<float>& matrix, float value) {
  const std::int64_t size = matrix.rows * (matrix.stride / kVector);
  launch(LaunchShape{.blocks = pieces(size, kFillThreads), .threads = kFillThreads}, fill_kernel,
         matrix, value);
}

}  // namespace
}  // namespace tern::cuda
