#pragma once

// A count in device memory that a recorded step reads and advances. One thread.

#include "cuda/ops/counter.hpp"

#include <cuda_runtime.h>

#include "cuda/support/launch_shape.hpp"

namespace tern::cuda {
namespace {

__global__ void counter_increment_kernel(std::int64_t* counter) {
  ++*counter;
}

template <typename Launch>
void run_increment(const Launch& launch, std::int64_t* counter) {
  launch(LaunchShape{.blocks = 1, .threads = 1}, counter_increment_kernel, counter);
}

}  // namespace
}  // namespace tern::cuda
