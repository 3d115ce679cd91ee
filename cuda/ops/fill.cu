#include "cuda/ops/fill.cuh"

#include "cuda/support/launch.hpp"

namespace tern::cuda {

void launch_fill(const Queue& queue, const MatrixView<float>& matrix, float value) {
  run_fill(Launcher(queue), matrix, value);
}

}  // namespace tern::cuda
