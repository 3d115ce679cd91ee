#pragma once

#include <cstdint>

#include "tern/view.hpp"

namespace tern::cuda {

struct Queue;

/// y = x̂ and sum = kept · sum + weight · x, all pointers on the device, all of one stride.
struct NormalizeTask {
  MatrixView<const float> x;
  float* y = nullptr;
  float* sum = nullptr;  // null: none
  float weight = 0.0F;
  float kept = 0.0F;                     // 0: the sum is not read
  const std::uint8_t* summed = nullptr;  // null, or 1 for each row that is added
  std::int64_t first_row = 0;            // those before it are left out
};

/// grad_x from grad_y, which may be the same memory; plus weight · addend.
struct NormalizeBackwardTask {
  MatrixView<const float> x;
  const float* grad_y = nullptr;
  float* grad_x = nullptr;
  const float* addend = nullptr;  // null: none
  float weight = 0.0F;
  const std::uint8_t* added = nullptr;  // null, or 1 for each row of the addend that is read
  std::int64_t first_row = 0;           // those before it are left out
};

/// See normalize_rows.cu.
void launch_normalize_rows(const Queue& queue, const NormalizeTask& task);
void launch_normalize_rows_backward(const Queue& queue, const NormalizeBackwardTask& task);

}  // namespace tern::cuda
