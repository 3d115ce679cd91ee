#include "cuda/ops/adam.cuh"

#include "cuda/support/launch.hpp"

namespace tern::cuda {

void launch_adam(const Queue& queue, const AdamTask& task) {
  run_adam(Launcher(queue), task);
}

}  // namespace tern::cuda
