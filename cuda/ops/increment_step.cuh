#pragma once

// The increment of a counter, in the kernel of increment and in that of the penalty's loss
// (pending_ops.hpp).

#include <cuda_runtime.h>

#include "cuda/ops/increment.hpp"

namespace tern::cuda {
namespace {

/// Adds one to the counter. If adam uses it, computes the powers of the step after this one, and keeps
/// those that were computed a step ago. One thread calls it.
__device__ inline void increment_counter(const IncrementTask& task) {
  const std::int64_t value = ++*task.counter;
  StepDecay decay = *task.decay;
  if (decay.beta1 == 0.0 && decay.beta2 == 0.0) return;  // not a counter of adam's
  const bool known = decay.step > 0 && decay.step == value - 1;
  const auto t = static_cast<double>(value);
  decay.power1 = known ? decay.next_power1 : pow(decay.beta1, t);
  decay.power2 = known ? decay.next_power2 : pow(decay.beta2, t);
  decay.next_power1 = pow(decay.beta1, t + 1);
  decay.next_power2 = pow(decay.beta2, t + 1);
  decay.step = value;
  *task.decay = decay;
}

}  // namespace
}  // namespace tern::cuda
