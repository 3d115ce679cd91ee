#pragma once

// Triplets of an epoch, one thread each.
//
// Of a triplet: 12 bytes written, and two or three dependent walks through R (a participant, its
// row, a binary search of log2(degree) steps): latency, not bytes, so that the mapping is the
// plainest one and as many threads as possible wait side by side. Once an epoch, a small part of
// it.

#include "cuda/ops/draw.cuh"
#include "cuda/support/launch_shape.hpp"

namespace tern::cuda {
namespace {

constexpr int kSampleThreads = 256;

__global__ void __launch_bounds__(kSampleThreads)
    sample_kernel(const __grid_constant__ SampleTask task) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kSampleThreads + threadIdx.x;
  if (i < task.count) task.triplets[i] = draw_triplet(task, task.first + i);
}

template <typename Launch>
void run_sample(const Launch& launch, const SampleTask& task) {
  launch(LaunchShape{.blocks = pieces(task.count, kSampleThreads), .threads = kSampleThreads},
         sample_kernel, task);
}

}  // namespace
}  // namespace tern::cuda
