#include "cuda/ops/l2_penalty.cuh"

#include "cuda/support/launch.hpp"

namespace tern::cuda {

void launch_l2_penalty(const Queue& queue, const L2PenaltyTask& task) {
  run_l2_penalty(Launcher(queue), task);
}

}  // namespace tern::cuda
