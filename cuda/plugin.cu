#include "tern/plugin.hpp"

#include <cstdlib>
#include <string_view>

#include "cuda/backend.hpp"
#include "cuda/support/device_query.hpp"
#include "tern/error.hpp"

// The one symbol that the program looks up after loading this library.

namespace tern::cuda {
namespace {

std::vector<DeviceDescription> list_devices(std::string* problem) {
  try {
    return query_devices(problem);
  } catch (const DeviceError& error) {
    if (problem != nullptr) *problem = error.what();
    return {};
  }
}

/// Whether the environment asks to wait after every launch, which shows the kernel that fails
/// (cuda/README.md).
bool wants_synchronous() {
  const char* value = std::getenv("TERN_CUDA_SYNC");
  return value != nullptr && std::string_view(value) == "1";
}

std::unique_ptr<Backend> make_backend(const PluginOptions& options) {
  return std::make_unique<CudaBackend>(CudaOptions{.device = options.device,
                                                   .reproducibility = options.reproducibility,
                                                   .plan_bytes = options.plan_bytes,
                                                   .ranks = options.ranks,
                                                   .synchronous = wants_synchronous()});
}

constexpr Plugin kPlugin{kPluginAbi, list_devices, make_backend};

}  // namespace
}  // namespace tern::cuda

extern "C" __attribute__((visibility("default"))) const tern::Plugin* tern_plugin() {
  return &tern::cuda::kPlugin;
}
