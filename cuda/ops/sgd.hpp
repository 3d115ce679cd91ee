#pragma once

#include <cstdint>

#include "cuda/support/gather_copy.hpp"
#include "cuda/support/rows.hpp"

namespace tern::cuda {

struct Queue;

/// One step of gradient descent; all arrays (rows, stride) on the device, padding included.
struct SgdTask {
  float learning_rate = 0.0F;
  float momentum = 0.0F;
  float weight_decay = 0.0F;
  const float* gradient = nullptr;
  float* parameter = nullptr;
  GatherCopyView copy = {};   // of the parameter: written too
  float* velocity = nullptr;  // null: no momentum
  std::int64_t rows = 0;
  std::int64_t stride = 0;
  RowsView only;                       // the rows to update
  const std::int64_t* step = nullptr;  // as for adam; needed only to note a fault
  std::int64_t* fault = nullptr;  // null, or where to note the first step with a non-finite result
};

/// See sgd.cu.
void launch_sgd(const Queue& queue, const SgdTask& task);

}  // namespace tern::cuda
