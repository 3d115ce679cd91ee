#include "cuda/ops/next_batch.cuh"

#include "cuda/support/launch.hpp"

namespace tern::cuda {

void launch_leave_batch(const Queue& queue, const NextBatchTask& task, BatchTarget target) {
  run_leave_batch(Launcher(queue), task, target);
}

void launch_enter_batch(const Queue& queue, const NextBatchTask& task) {
  run_enter_batch(Launcher(queue), task);
}

}  // namespace tern::cuda
