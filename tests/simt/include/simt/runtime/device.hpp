// The made-up devices of the emulated runtime.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "simt/runtime/types.hpp"

namespace simt {

/// When the work of a stream is done: when it is submitted, or only when somebody waits for it, as
/// late as on a GPU. The late device shows results read, or host arrays reused, without waiting.
enum class Timing : std::uint8_t { at_once, late };

/// The effect of a fault in a kernel: ends the test with its report, or, as on a GPU, only makes every
/// later call on the stream fail.
enum class OnFault : std::uint8_t { thrown, kept };

/// Whether every launch runs blocks, warps and lanes in the order of the seed, or in a new order.
/// The same order, on one worker, makes even float atomics repeat.
enum class LaunchOrder : std::uint8_t { same, other };

struct Device {
  std::string name = "Emulated GPU";
  int multiprocessors = 2;
  std::size_t memory_bytes = std::size_t{4} << 30;
  int cache_bytes = 1 << 20;
  std::uint64_t seed = 1;
  unsigned workers = 0;  ///< CPU threads that blocks are spread over; 0: one a core
  Timing timing = Timing::at_once;
  LaunchOrder order = LaunchOrder::other;
  OnFault on_fault = OnFault::thrown;
  int capability = 90;  ///< its compute capability, times 10
  /// cudaSuccess, or what loading a kernel's code reports: a build for other GPUs.
  cudaError_t code = cudaSuccess;
  /// Without them memory comes from cudaMalloc alone.
  bool memory_pools = true;
  /// Whether cuBLASLt finds algorithms for other epilogues than the default one.
  bool matmul_epilogues = true;
};

/// Sets the devices of the runtime: CUDA device i is devices[i]. At first there is none, as on a
/// machine without a GPU.
void set_devices(std::vector<Device> devices);

/// Bytes of all copies from devices to the host so far, counted when they are submitted.
std::size_t downloaded_bytes();

}  // namespace simt
