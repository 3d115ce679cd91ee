#pragma once

// One step of stochastic gradient descent over a table (N, D), or over some of its rows.
//
// One pass: 12·N·D bytes without momentum, 20·N·D with it; a few flops an element. One thread a
// vector of four elements. Gradient and velocity go past the cache (evict-first), as in adam.cuh.

#include "cuda/ops/fault.cuh"
#include "cuda/ops/sgd.hpp"
#include "cuda/support/launch_shape.hpp"
#include "cuda/support/vector.cuh"

namespace tern::cuda {
namespace {

constexpr int kSgdThreads = 256;

/// Steps vector `at` of the table. The padding stays zero: a zero gradient moves nothing.
__device__ inline void sgd_vector(const SgdTask& task, std::int64_t at) {
  float4 p = as_vectors(task.parameter)[at];
  float4 v = fma(task.weight_decay, p, __ldcs(as_vectors(task.gradient) + at));
  if (task.velocity != nullptr) {
    v = fma(task.momentum, __ldcs(as_vectors(task.velocity) + at), v);
    __stcs(as_vectors(task.velocity) + at, v);
  }
  p = fma(-task.learning_rate, v, p);
  as_vectors(task.parameter)[at] = p;
  // A velocity that is not finite shows in the parameter.
  if (!all_finite(p) && task.fault != nullptr) note_fault(task.fault, *task.step);
}

/// Every row, one thread a vector.
__global__ void __launch_bounds__(kSgdThreads)
    sgd_dense_kernel(const __grid_constant__ SgdTask task) {
  const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * kSgdThreads + threadIdx.x;
  if (at < task.rows * (task.stride / kVector)) sgd_vector(task, at);
}

/// The rows of a set, `lanes` threads a row.
__global__ void __launch_bounds__(kSgdThreads)
    sgd_rows_kernel(const __grid_constant__ SgdTask task, int lanes) {
  const int groups = kSgdThreads / lanes;
  const std::int64_t index =
      static_cast<std::int64_t>(blockIdx.x) * groups + static_cast<int>(threadIdx.x) / lanes;
  if (index >= task.only.span->count) return;
  const std::int64_t vectors = task.stride / kVector;
  const std::int64_t row = task.only.rows[task.only.span->begin + index];
  for (std::int64_t place = static_cast<int>(threadIdx.x) % lanes; place < vectors;
       place += lanes) {
    sgd_vector(task, row * vectors + place);
  }
}

template <typename Launch>
void run_sgd(const Launch& launch, const SgdTask& task) {
  const std::int64_t vectors = task.stride / kVector;
  const std::int64_t size = task.rows * vectors;
  if (size == 0) return;
  if (task.only.every()) {
    launch(LaunchShape{.blocks = pieces(size, kSgdThreads), .threads = kSgdThreads},
           sgd_dense_kernel, task);
    return;
  }
  const int lanes = lanes_for(vectors);
  launch(LaunchShape{.blocks = pieces(task.only.capacity, kSgdThreads / lanes),
                     .threads = kSgdThreads},
         sgd_rows_kernel, task, lanes);
}

}  // namespace
}  // namespace tern::cuda
