// increment: adds one to a counter in device memory, where a recorded step reads and advances it.
// One thread, in the order of the stream. If adam uses the counter, the same thread computes the
// powers that adam's bias corrections need in this step and the next.
//
// In a recorded step the launch that sums the penalty's loss may count (pending_ops.hpp).

#include "cuda/ops/increment.hpp"

#include "cuda/backend.hpp"
#include "cuda/ops/increment_step.cuh"

namespace tern::cuda {
namespace {

__global__ void increment_kernel(const __grid_constant__ IncrementTask task) {
  increment_counter(task);
}

}  // namespace

void launch_increment(const Queue& queue, const IncrementTask& task) {
  const Launcher launch(queue);
  launch({.blocks = 1, .threads = 1}, increment_kernel, task);
}

void CudaBackend::increment(Counter& counter) {
  CounterStorage& stored = storage(counter);
  const DeviceScope scope = use_device();
  const IncrementTask task{stored.value.data(), stored.decay.data()};
  if (!deferred(task)) launch_increment(queue_of_counters(counter), task);
}

}  // namespace tern::cuda
