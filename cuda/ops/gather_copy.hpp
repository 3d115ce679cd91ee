#pragma once

#include "cuda/support/gather_copy.hpp"
#include "tern/view.hpp"

namespace tern::cuda {

struct Queue;

/// Rounds every element of a matrix to its copy.
void launch_gather_copy(const Queue& queue, const MatrixView<const float>& matrix,
                        const GatherCopyView& copy);

}  // namespace tern::cuda
