#pragma once

#include "bench/variants/cuda/rival_lanes.cuh"

namespace tern::cuda {
namespace {

/// y = 0, one vector a thread.
__global__ void __launch_bounds__(kRivalThreads) zero_rows_kernel(float4* y, std::int64_t count) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kRivalThreads + threadIdx.x;
  if (i < count) y[i] = make_float4(0.0F, 0.0F, 0.0F, 0.0F);
}

/// Must run before kernels that add to y.
template <typename Launch>
void run_zero_rows(const Launch& launch, const MatrixView<float>& y) {
  const std::int64_t count = y.rows * (y.stride / kVector);
  launch({.blocks = ceil_div(count, kRivalThreads), .threads = kRivalThreads}, zero_rows_kernel,
         as_vectors(y.data), count);
}

}  // namespace
}  // namespace tern::cuda
