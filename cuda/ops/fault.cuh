#pragma once

// How a step that went wrong is noted, from within the pass that writes its results.

#include <cuda_runtime.h>

#include <cstdint>

namespace tern::cuda {
namespace {

/// Sets the counter to the step unless it holds an earlier one. Whichever threads get here in one
/// launch write the same value, so that a plain store is enough.
__device__ inline void note_fault(std::int64_t* fault, std::int64_t step) {
  if (*fault == 0) *fault = step;
}

}  // namespace
}  // namespace tern::cuda
