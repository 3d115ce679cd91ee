#pragma once

#include <cstdint>

#include "cuda/support/rows.hpp"
#include "tern/backend.hpp"
#include "tern/view.hpp"

namespace tern::cuda {

struct Queue;

/// Rows of a matrix, all pointers on the device.
struct PerturbTask {
  float magnitude = 0.0F;
  Seed seed{};
  std::uint32_t place = 0;
  const std::int64_t* step = nullptr;  // in device memory, so that a step can be replayed
  MatrixView<float> values;
  RowsView only;               // the rows to perturb
  std::int64_t first_row = 0;  // with every row: those before this one are left out
  float* sum = nullptr;        // null, or the shape and stride of the values
  float weight = 0.0F;
  float kept = 0.0F;                     // 0: the sum is not read
  const std::uint8_t* summed = nullptr;  // null, or 1 for each row that is added
};

/// See perturb.cu.
void launch_perturb(const Queue& queue, const PerturbTask& task);

}  // namespace tern::cuda
