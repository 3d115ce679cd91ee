#pragma once

#include <memory>

#include "bench/support/case.hpp"
#include "bench/support/device.hpp"

namespace tern::bench {

// What only a GPU's benchmarks need (measured limits, rival kernels, cuSPARSE) is a shared library,
// libtern_bench_cuda.so, loaded for --device cuda alone: tern-bench starts without CUDA's
// libraries. What the two sides agree on is this header; both come from one source tree.

/// Names the layout of what crosses: Plugin, Device, Timer, Case, Workload. To be raised with any
/// change.
inline constexpr char kBenchPluginAbi[] = "tern-bench-plugin-1";

/// What the library's one exported symbol answers.
struct BenchPlugin {
  /// kBenchPluginAbi as the library was compiled with; first, so that it can be read whatever
  /// follows.
  const char* abi;
  /// Adds the rivals; asks for no GPU before one is prepared.
  void (*add_rivals)(Cases& cases);
  /// The GPU of a backend whose name is "cuda:N". Throws DeviceError.
  std::unique_ptr<Device> (*make_device)(Backend& backend);
};

/// Name and type of the exported symbol: extern "C" const BenchPlugin* tern_bench_plugin();
inline constexpr char kBenchPluginSymbol[] = "tern_bench_plugin";
using BenchPluginEntry = const BenchPlugin* (*)();

/// Loads the library, from the path in TERN_BENCH_CUDA_LIBRARY where that is set. Throws
/// DeviceError with one line where it is absent, broken or of another version.
const BenchPlugin& load_cuda_plugin();

}  // namespace tern::bench
