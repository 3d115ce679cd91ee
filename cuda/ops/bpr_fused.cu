#include "cuda/ops/bpr_fused.cuh"

#include "cuda/support/launch.hpp"

namespace tern::cuda {

void launch_fused_batch(const Queue& queue, const FusedBatchTask& task) {
  run_fused_batch(Launcher(queue), task);
}

void launch_bpr_fused(const Queue& queue, const BprTask& task) {
  run_bpr_fused(Launcher(queue), task);
}

void launch_l2_penalty_fused(const Queue& queue, const L2PenaltyTask& task) {
  run_l2_penalty_fused(Launcher(queue), task);
}

}  // namespace tern::cuda
