#pragma once

// How adam and sgd note a step with a non-finite result, in the pass that writes the result.

#include <cuda_runtime.h>

#include <cstdint>

namespace tern::cuda {
namespace {

/// Sets the counter to the step unless it holds an earlier one. All threads of one launch write the
/// same value, so a plain store is enough.
__device__ inline void note_fault(std::int64_t* fault, std::int64_t step) {
  if (*fault == 0) *fault = step;
}

}  // namespace
}  // namespace tern::cuda
