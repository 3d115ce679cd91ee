#include "cuda/ops/sgd.cuh"

#include "cuda/support/launch.hpp"

namespace tern::cuda {

void launch_sgd(const Queue& queue, const SgdTask& task) {
  run_sgd(Launcher(queue), task);
}

}  // namespace tern::cuda
