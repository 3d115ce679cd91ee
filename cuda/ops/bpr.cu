#include "cuda/ops/bpr.cuh"

#include "cuda/support/launch.hpp"

namespace tern::cuda {

void launch_bpr(const Queue& queue, const BprTask& task) {
  run_bpr(Launcher(queue), task);
}

}  // namespace tern::cuda
