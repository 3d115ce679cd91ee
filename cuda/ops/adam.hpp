#pragma once

#include <cstdint>

#include "cuda/ops/rows.hpp"

namespace tern::cuda {

struct Queue;

/// One step of Adam; all arrays (rows, stride) on the device, padding included.
struct AdamTask {
  double learning_rate = 0.0;
  double beta1 = 0.0;
  double beta2 = 0.0;
  float epsilon = 0.0F;
  float weight_decay = 0.0F;
  const std::int64_t* step = nullptr;  // t, 1 at the first step: in device memory
  const float* gradient = nullptr;
  float* parameter = nullptr;
  float* first_moment = nullptr;
  float* second_moment = nullptr;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t stride = 0;
  RowsView only;                  // the rows to step
  std::int64_t* fault = nullptr;  // null, or the first step that wrote what is not finite
};

/// g = gradient + weight_decay · parameter; m = β1 m + (1-β1) g; v = β2 v + (1-β2) g²;
/// parameter -= lr / (1-β1ᵗ) · m / (sqrt(v / (1-β2ᵗ)) + ε), see Backend::adam.
void launch_adam(const Queue& queue, const AdamTask& task);

}  // namespace tern::cuda
