#pragma once

#include <cstdint>

#include "cuda/support/step_decay.hpp"

namespace tern::cuda {

struct Queue;

/// Adding one to a counter; both pointers on the device.
struct IncrementTask {
  std::int64_t* counter = nullptr;  // null: nothing to do
  StepDecay* decay = nullptr;       // beside it
};

/// See increment.cu.
void launch_increment(const Queue& queue, const IncrementTask& task);

}  // namespace tern::cuda
