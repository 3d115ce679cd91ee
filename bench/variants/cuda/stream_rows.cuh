#pragma once

// The ceilings of streams: loops over whole tables, one vector a thread.

#include "bench/variants/cuda/rival_lanes.cuh"

namespace tern::cuda {

struct StreamTask {
  const float4* from = nullptr;
  float4* to = nullptr;
  std::int64_t count = 0;  // vectors
};

namespace {

/// Vectors that a thread reads for each that it may write.
inline constexpr int kReadRun = 16;

/// Sums of runs of `from`; one is written only if it is NaN, which no value is, so that the compiler
/// cannot leave out a read.
__global__ void __launch_bounds__(kRivalThreads)
    read_stream_kernel(const __grid_constant__ StreamTask task) {
  const std::int64_t block = static_cast<std::int64_t>(blockIdx.x) * kRivalThreads * kReadRun;
  float4 sum = make_float4(0.0F, 0.0F, 0.0F, 0.0F);
#pragma unroll
  for (int run = 0; run < kReadRun; ++run) {
    const std::int64_t i = block + run * kRivalThreads + threadIdx.x;
    if (i < task.count) sum = add(sum, __ldg(task.from + i));
  }
  const float total = sum.x + sum.y + sum.z + sum.w;
  if (total != total) task.to[0] = sum;
}

/// to = -to.
__global__ void __launch_bounds__(kRivalThreads)
    update_stream_kernel(const __grid_constant__ StreamTask task) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kRivalThreads + threadIdx.x;
  if (i < task.count) task.to[i] = scale(-1.0F, task.to[i]);
}

/// to += 1e-9 from.
__global__ void __launch_bounds__(kRivalThreads)
    triad_stream_kernel(const __grid_constant__ StreamTask task) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kRivalThreads + threadIdx.x;
  if (i < task.count) task.to[i] = fma(1e-9F, __ldg(task.from + i), task.to[i]);
}

template <typename Launch>
void run_read_stream(const Launch& launch, const StreamTask& task) {
  launch({.blocks = ceil_div(task.count, kRivalThreads * kReadRun), .threads = kRivalThreads},
         read_stream_kernel, task);
}

template <typename Launch>
void run_update_stream(const Launch& launch, const StreamTask& task) {
  launch({.blocks = ceil_div(task.count, kRivalThreads), .threads = kRivalThreads},
         update_stream_kernel, task);
}

template <typename Launch>
void run_triad_stream(const Launch& launch, const StreamTask& task) {
  launch({.blocks = ceil_div(task.count, kRivalThreads), .threads = kRivalThreads},
         triad_stream_kernel, task);
}

}  // namespace
}  // namespace tern::cuda
