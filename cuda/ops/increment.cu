// increment: adds one to a counter in device memory, where a recorded step reads and advances it.
// One thread, in the order of the stream.

#include "cuda/backend.hpp"

namespace tern::cuda {
namespace {

__global__ void increment_kernel(std::int64_t* counter) {
  ++*counter;
}

}  // namespace

void CudaBackend::increment(Counter& counter) {
  std::int64_t* value = storage(counter).value.data();
  const DeviceScope scope = use_device();
  const Launcher launch(queue());
  launch({.blocks = 1, .threads = 1}, increment_kernel, value);
}

}  // namespace tern::cuda
