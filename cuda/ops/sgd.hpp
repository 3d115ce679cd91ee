#pragma once

#include <cstdint>

#include "cuda/ops/rows.hpp"

namespace tern::cuda {

struct Queue;

/// One step of gradient descent; all arrays (rows, stride) on the device, padding included.
struct SgdTask {
  float learning_rate = 0.0F;
  float momentum = 0.0F;
  float weight_decay = 0.0F;
  const float* gradient = nullptr;
  float* parameter = nullptr;
  float* velocity = nullptr;  // null: no momentum
  std::int64_t rows = 0;
  std::int64_t stride = 0;
  RowsView only;                       // the rows to step
  const std::int64_t* step = nullptr;  // as of adam; read only for fault
  std::int64_t* fault = nullptr;       // null, or the first step that wrote what is not finite
};

/// v = momentum v + gradient + weight_decay · parameter; parameter -= lr · v, see Backend::sgd.
void launch_sgd(const Queue& queue, const SgdTask& task);

}  // namespace tern::cuda
