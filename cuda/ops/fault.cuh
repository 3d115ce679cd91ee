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

/// Sets the counter to the step unless it holds an earlier one. Threads may have different steps.
__device__ inline void note_earlier_fault(std::int64_t* fault, std::int64_t step) {
  auto* const place = reinterpret_cast<unsigned long long*>(fault);
  const auto wanted = static_cast<unsigned long long>(step);
  unsigned long long held = atomicCAS(place, 0ULL, wanted);
  while (held != 0 && wanted < held) {
    const unsigned long long found = atomicCAS(place, held, wanted);
    if (found == held) return;
    held = found;
  }
}

}  // namespace
}  // namespace tern::cuda
