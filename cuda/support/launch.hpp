#pragma once

#include <cuda_runtime.h>

#include <source_location>
#include <string>
#include <type_traits>

#include "cuda/support/error.hpp"
#include "cuda/support/launch_shape.hpp"
#include "tern/error.hpp"

namespace tern::cuda {

class RankParts;

/// Where ops launch their kernels: one stream of one device.
struct Queue {
  cudaStream_t stream = nullptr;
  int multiprocessors = 1;
  /// Waits after every launch, so that a failure is reported by the kernel that failed.
  bool synchronous = false;
  /// The ranks that have the other columns of every matrix; null: it has all.
  RankParts* ranks = nullptr;
};

/// Checks a call of a library that launches kernels of its own, and waits for them if the queue is
/// synchronous.
template <typename Status>
void check_launches(const Queue& queue, Status status,
                    std::source_location where = std::source_location::current()) {
  check(status, where);
  if (queue.synchronous) check_kernel(cudaStreamSynchronize(queue.stream), nullptr, where);
}

/// Throws DeviceError if the grid has more blocks than a device takes.
inline void check_shape(const LaunchShape& shape) {
  const auto refuse = [](std::int64_t blocks, const char* where, std::int64_t max) {
    throw DeviceError("kernel launch has " + std::to_string(blocks) + " blocks" + where +
                      ", expected at most " + std::to_string(max));
  };
  if (shape.blocks > kMaxBlocks) refuse(shape.blocks, "", kMaxBlocks);
  if (shape.blocks_y > kMaxBlocksY) refuse(shape.blocks_y, " in y", kMaxBlocksY);
}

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
    check_shape(shape);
    cudaLaunchConfig_t config{};
    config.gridDim =
        dim3(static_cast<unsigned>(shape.blocks), static_cast<unsigned>(shape.blocks_y));
    config.blockDim = dim3(static_cast<unsigned>(shape.threads));
    config.dynamicSmemBytes = shape.shared_bytes;
    config.stream = queue_.stream;
    // The typed form: its stand-in in tests/simt needs the types of kernel and arguments.
    check(cudaLaunchKernelEx(&config, kernel, arguments...), where_);
    check_earlier(cudaGetLastError(), where_);
    if (queue_.synchronous) {
      check_kernel(cudaStreamSynchronize(queue_.stream), reinterpret_cast<const void*>(kernel),
                   where_);
    }
  }

 private:
  Queue queue_;
  std::source_location where_;
};

}  // namespace tern::cuda
