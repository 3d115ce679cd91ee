#include "tern/device.hpp"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "host/backend/device.hpp"
#include "host/config/keys.hpp"
#include "host/support/shared_library.hpp"
#include "tern/error.hpp"
#include "tern/plugin.hpp"

namespace tern {
namespace {

/// The environment variable with the path of a CUDA backend to load instead of the one beside the
/// program.
constexpr char kLibraryVariable[] = "TERN_CUDA_LIBRARY";

/// The plugin, or one line that says why there is none.
struct Lookup {
  const Plugin* plugin = nullptr;
  /// Whether a library is there at all, usable or not.
  bool present = false;
  std::string problem;
};

/// The GPU's driver, without which nothing of CUDA works.
constexpr char kDriver[] = "libcuda.so.1";

Lookup look_up_plugin() {
  const LibraryPath path = find_shared_library(kCudaPluginFile, kLibraryVariable);
  // The library loads cuBLAS: 150 MB and a tenth of a second, for nothing if there is no driver.
  if (path.present && !path.named && !is_loadable(kDriver)) {
    return {nullptr, true, fmt::format("no driver for a GPU is installed ({})", kDriver)};
  }
  const SharedLibrary library = load_shared_library(path);
  Lookup found{nullptr, library.present, library.problem};
  if (library.handle == nullptr) return found;
  const auto entry = reinterpret_cast<PluginEntry>(library.symbol(kPluginSymbol));
  const Plugin* plugin = entry != nullptr ? entry() : nullptr;
  if (plugin == nullptr || plugin->abi == nullptr) {
    found.problem = fmt::format("{} is not a plugin of Tern", library.path);
  } else if (std::string_view(plugin->abi) != kPluginAbi) {
    found.problem = fmt::format("{} belongs to another version of Tern: it answers {}, expected {}",
                                library.path, plugin->abi, kPluginAbi);
  } else {
    found.plugin = plugin;
  }
  return found;
}

/// The plugin and the devices that it can use; lookup.problem is empty if there is a device.
struct CudaDevices {
  Lookup lookup;
  std::vector<DeviceDescription> devices;
};

CudaDevices find_cuda() {
  CudaDevices cuda{look_up_plugin(), {}};
  if (cuda.lookup.plugin != nullptr) {
    cuda.devices = cuda.lookup.plugin->list_devices(&cuda.lookup.problem);
    if (!cuda.devices.empty()) cuda.lookup.problem.clear();
    if (cuda.devices.empty() && cuda.lookup.problem.empty()) {
      cuda.lookup.problem = "no CUDA device was found";
    }
  }
  return cuda;
}

/// N of "cuda:N", 0 for "cuda".
int cuda_index(std::string_view device) {
  if (device == "cuda") return 0;
  const std::string_view digits = device.substr(std::string_view("cuda:").size());
  int index = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), index);
  return index;
}

std::unique_ptr<Backend> make_named_cuda_backend(std::string_view device,
                                                 const PluginOptions& options) {
  const int index = options.device;
  const CudaDevices cuda = find_cuda();
  if (!cuda.lookup.problem.empty()) {
    throw DeviceError(fmt::format("device {} cannot be used: {}", device, cuda.lookup.problem));
  }
  const int count = static_cast<int>(cuda.devices.size());
  if (index >= count) {
    throw DeviceError(fmt::format(
        "device {} does not exist: this machine has {} CUDA device{}, cuda:0{}", device, count,
        count == 1 ? "" : "s", count == 1 ? "" : fmt::format(" to cuda:{}", count - 1)));
  }
  return cuda.lookup.plugin->make_backend(options);
}

std::unique_ptr<Backend> make_auto_backend(int threads, std::string* notice,
                                           Reproducibility reproducibility) {
  CudaDevices cuda = find_cuda();
  std::string problem = std::move(cuda.lookup.problem);
  if (problem.empty()) {
    try {
      return cuda.lookup.plugin->make_backend({.reproducibility = reproducibility});
    } catch (const DeviceError& error) {
      problem = error.what();
    }
  }
  if (notice != nullptr && cuda.lookup.present) {
    *notice = fmt::format("CUDA cannot be used ({}); running on the CPU.", problem);
  }
  return make_cpu_backend(threads);
}

}  // namespace

std::unique_ptr<Backend> make_cuda_backend(const PluginOptions& options) {
  return make_named_cuda_backend(fmt::format("cuda:{}", options.device), options);
}

std::unique_ptr<Backend> make_program_backend(std::string_view device, int threads,
                                              std::string* notice,
                                              Reproducibility reproducibility) {
  Config config;
  config.device = device;
  check_keys(config, "train.device");
  if (device == "auto") return make_auto_backend(threads, notice, reproducibility);
  if (device == "cpu") return make_cpu_backend(threads);
  if (device == "reference") return make_reference_backend();
  return make_named_cuda_backend(
      device, {.device = cuda_index(device), .reproducibility = reproducibility});
}

std::unique_ptr<Backend> make_backend(std::string_view device, int threads, std::string* notice,
                                      Reproducibility reproducibility) {
  std::unique_ptr<Backend> backend = make_program_backend(device, threads, notice, reproducibility);
  if (device == "auto" && notice != nullptr && notice->empty() && backend->name() == "cpu") {
    *notice =
        fmt::format("There is no CUDA backend ({}) here; running on the CPU.", kCudaPluginFile);
  }
  return backend;
}

std::vector<DeviceDescription> list_devices(std::string* cuda_status) {
  std::vector<DeviceDescription> devices;
  devices.push_back(make_cpu_backend()->describe());
  CudaDevices cuda = find_cuda();
  if (cuda_status != nullptr) {
    *cuda_status = cuda.lookup.problem.empty()
                       ? fmt::format("CUDA is usable: {} device{}", cuda.devices.size(),
                                     cuda.devices.size() == 1 ? "" : "s")
                       : fmt::format("CUDA is not usable: {}", cuda.lookup.problem);
  }
  for (DeviceDescription& device : cuda.devices) devices.push_back(std::move(device));
  return devices;
}

}  // namespace tern
