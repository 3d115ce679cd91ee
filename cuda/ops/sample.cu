#include "cuda/ops/sample.cuh"

#include "cuda/support/launch.hpp"

namespace tern::cuda {

void launch_sample(const Queue& queue, const SampleTask& task) {
  run_sample(Launcher(queue), task);
}

}  // namespace tern::cuda
