// increment: adds one to a counter in device memory, where a recorded step reads and advances it.
// One thread, in the order of the stream. If adam uses the counter, the same thread computes the
// powers that adam's bias corrections need.

#include "cuda/backend.hpp"

namespace tern::cuda {
namespace {

__global__ void increment_kernel(std::int64_t* counter, StepDecay* decay) {
  const std::int64_t value = ++*counter;
  if (decay->beta1 == 0.0 && decay->beta2 == 0.0) return;  // not a counter of adam's
  decay->power1 = pow(decay->beta1, static_cast<double>(value));
  decay->power2 = pow(decay->beta2, static_cast<double>(value));
  decay->step = value;
}

}  // namespace

void CudaBackend::increment(Counter& counter) {
  CounterStorage& stored = storage(counter);
  const DeviceScope scope = use_device();
  const Launcher launch(queue_of_counters(counter));
  launch({.blocks = 1, .threads = 1}, increment_kernel, stored.value.data(), stored.decay.data());
}

}  // namespace tern::cuda
