#include "cuda/ops/dropout.cuh"

#include "cuda/support/launch.hpp"

namespace tern::cuda {

void launch_dropout(const Queue& queue, const DropoutTask& task) {
  run_dropout(Launcher(queue), task);
}

}  // namespace tern::cuda
