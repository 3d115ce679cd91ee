#include "bench/support/plugin.hpp"

#include <fmt/format.h>

#include <string_view>

#include "host/support/shared_library.hpp"
#include "tern/error.hpp"

namespace tern::bench {

const BenchPlugin& load_cuda_plugin() {
  const SharedLibrary library =
      load_shared_library(find_shared_library("libtern_bench_cuda.so", "TERN_BENCH_CUDA_LIBRARY"));
  if (library.handle == nullptr) {
    throw DeviceError(fmt::format("CUDA cannot be benchmarked: {}", library.problem));
  }
  const auto entry = reinterpret_cast<BenchPluginEntry>(library.symbol(kBenchPluginSymbol));
  const BenchPlugin* plugin = entry != nullptr ? entry() : nullptr;
  if (plugin == nullptr || plugin->abi == nullptr) {
    throw DeviceError(
        fmt::format("CUDA cannot be benchmarked: {} is not tern-bench's library", library.path));
  }
  if (std::string_view(plugin->abi) != kBenchPluginAbi) {
    throw DeviceError(
        fmt::format("CUDA cannot be benchmarked: {} belongs to another version of tern-bench: "
                    "it answers {}, expected {}",
                    library.path, plugin->abi, kBenchPluginAbi));
  }
  return *plugin;
}

}  // namespace tern::bench
