#pragma once

#include <cstdint>

#include "tern/backend.hpp"
#include "tern/view.hpp"

namespace tern::cuda {

struct Queue;

/// Rows [first_row, values.rows) of a matrix, all pointers on the device.
struct DropoutTask {
  DropoutOptions options;
  std::uint32_t threshold = 0;         // the smallest word that keeps its element or row
  float factor = 1.0F;                 // applied to what is kept
  const std::int64_t* step = nullptr;  // in device memory, so that a step can be replayed
  MatrixView<float> values;
  std::int64_t first_row = 0;
};

/// See dropout.cu.
void launch_dropout(const Queue& queue, const DropoutTask& task);

}  // namespace tern::cuda
