#pragma once

#include <cstdint>

#include "cuda/support/gather_copy.hpp"
#include "cuda/support/rows.hpp"
#include "cuda/support/step_decay.hpp"

namespace tern::cuda {

struct Queue;

/// One step of Adam; all arrays (rows, stride) on the device, padding included.
struct AdamTask {
  double learning_rate = 0.0;
  double beta1 = 0.0;
  double beta2 = 0.0;
  float epsilon = 0.0F;
  float weight_decay = 0.0F;
  const std::int64_t* step = nullptr;  // t, 1 at the first step; in device memory
  std::int64_t uncounted = 0;          // 1: the step is *step + 1, as a later launch counts it
  const StepDecay* decay = nullptr;    // null, or the powers of a step, perhaps this one's
  const float* gradient = nullptr;
  float* parameter = nullptr;
  GatherCopyView copy = {};  // of the parameter: written too
  float* first_moment = nullptr;
  float* second_moment = nullptr;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t stride = 0;
  RowsView only;                  // the rows to update
  std::int64_t* fault = nullptr;  // null, or where to note the first step with a non-finite result
  std::int64_t* row_steps = nullptr;  // (rows), or null: the last step of each row
};

/// See adam.cu.
void launch_adam(const Queue& queue, const AdamTask& task);
/// The steps that rows have missed up to `step`; the task has row_steps, and no gradient.
void launch_adam_catch_up(const Queue& queue, const AdamTask& task);

}  // namespace tern::cuda
