#pragma once

#include <cuda_runtime.h>

#include <limits>
#include <source_location>
#include <string>
#include <type_traits>

#include "cuda/support/error.hpp"
#include "cuda/support/launch_shape.hpp"
#include "tern/error.hpp"

namespace tern::cuda {

/// Where ops launch their kernels: one stream of one device.
struct Queue {
  cudaStream_t stream = nullptr;
  int multiprocessors = 1;
};

/// Launches kernels on a queue and checks each launch; an empty grid is skipped. Templates of
/// launches (bench/variants/cuda) take any class that is called like this one.
class Launcher {
 public:
  explicit Launcher(const Queue& queue,
                    std::source_location where = std::source_location::current())
      : queue_(queue), where_(where) {}

  template <typename... Parameters>
  void operator()(const LaunchShape& shape, void (*kernel)(Parameters...),
                  std::type_identity_t<Parameters>... arguments) const {
    if (shape.blocks == 0 || shape.blocks_y == 0) return;
    if (shape.blocks > std::numeric_limits<std::int32_t>::max()) {
      throw DeviceError("kernel launch has " + std::to_string(shape.blocks) +
                        " blocks, expected at most 2147483647");
    }
    cudaLaunchConfig_t config{};
    config.gridDim =
        dim3(static_cast<unsigned>(shape.blocks), static_cast<unsigned>(shape.blocks_y));
    config.blockDim = dim3(static_cast<unsigned>(shape.threads));
    config.dynamicSmemBytes = shape.shared_bytes;
    config.stream = queue_.stream;
    // The typed form: its stand-in in tests/simt needs the types of kernel and arguments.
    check(cudaLaunchKernelEx(&config, kernel, arguments...), where_);
    check(cudaGetLastError(), where_);
  }

 private:
  Queue queue_;
  std::source_location where_;
};

}  // namespace tern::cuda
