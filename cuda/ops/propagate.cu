#include "cuda/ops/propagate.cuh"

#include "cuda/support/launch.hpp"

namespace tern::cuda {

void launch_propagate(const Queue& queue, const PropagateTask& task) {
  run_propagate(Launcher(queue), task);
}

}  // namespace tern::cuda
