#include "cuda/ops/counter.cuh"

#include "cuda/support/launch.hpp"

namespace tern::cuda {

void launch_increment(const Queue& queue, std::int64_t* counter) {
  run_increment(Launcher(queue), counter);
}

}  // namespace tern::cuda
