#pragma once

#include <memory>

#include "bench/support/case.hpp"
#include "bench/support/device.hpp"

namespace tern::bench {

// The GPU's part (measured limits, rival kernels, cuSPARSE) is a shared library,
// libtern_bench_cuda.so, loaded for --device cuda alone, so that tern-bench starts without CUDA's
// libraries. This header is their interface; both come from one source tree.

/// Names the layout of the interface's types: BenchPlugin, Device, Timer, Case, Workload. Raise it
/// with any change.
inline constexpr char kBenchPluginAbi[] = "tern-bench-plugin-3";

/// The result of the library's one exported symbol.
struct BenchPlugin {
  /// The library's kBenchPluginAbi; first, so that it can be read whatever the layout of the rest.
  const char* abi;
  /// Adds the rivals; needs no GPU until one of them is prepared.
  void (*add_rivals)(Cases& cases);
  /// The GPU of a backend whose name is "cuda:N". Throws DeviceError.
  std::unique_ptr<Device> (*make_device)(Backend& backend);
};

/// Name and type of the exported symbol: extern "C" const BenchPlugin* tern_bench_plugin();
inline constexpr char kBenchPluginSymbol[] = "tern_bench_plugin";
using BenchPluginEntry = const BenchPlugin* (*)();

/// Loads the library, from the path in TERN_BENCH_CUDA_LIBRARY if that is set. Throws DeviceError
/// with one line if the library is absent, broken or belongs to another version.
const BenchPlugin& load_cuda_plugin();

}  // namespace tern::bench
