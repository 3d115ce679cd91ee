#pragma once

#include "tern/view.hpp"

namespace tern::cuda {

struct Queue;

/// Every element becomes the value, the padding zero.
void launch_fill(const Queue& queue, const MatrixView<float>& matrix, float value);

}  // namespace tern::cuda
