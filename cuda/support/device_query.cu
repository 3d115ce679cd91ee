#include "cuda/support/device_query.hpp"

#include "cuda/support/error.hpp"

namespace tern::cuda {
namespace {

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

/// As nvidia-smi writes it: "GPU-1b2c...".
std::string uuid_text(const cudaUUID_t& uuid) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text = "GPU-";
  for (int i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    const auto byte = static_cast<unsigned char>(uuid.bytes[i]);
    text += kDigits[byte / 16];
    text += kDigits[byte % 16];
  }
  return text;
}

std::string why_none(cudaError_t status) {
  int driver = 0;
  (void)cudaDriverGetVersion(&driver);  // 0 if there is no driver
  if (driver == 0) return "CUDA: no driver is installed";
  if (status == cudaErrorInsufficientDriver) {
    return "CUDA: the driver supports CUDA " + version_text(driver) +
           ", this program was built for CUDA " + version_text(CUDART_VERSION);
  }
  if (status == cudaSuccess || status == cudaErrorNoDevice) return "CUDA: no device was found";
  return std::string("CUDA: ") + cudaGetErrorString(status);
}

}  // namespace

DeviceDescription describe_device(const cudaDeviceProp& properties) {
  int driver = 0;
  check(cudaDriverGetVersion(&driver));
  const auto mib = [](std::size_t bytes) { return std::to_string(bytes >> 20) + " MiB"; };
  return {properties.name, "f32",
          "compute capability " + std::to_string(properties.major) + "." +
              std::to_string(properties.minor) + ", " +
              std::to_string(properties.multiProcessorCount) + " multiprocessors, " +
              mib(properties.totalGlobalMem) + ", L2 " +
              mib(static_cast<std::size_t>(properties.l2CacheSize)) + ", driver for CUDA " +
              version_text(driver) + ", " + uuid_text(properties.uuid)};
}

std::vector<DeviceDescription> query_devices(std::string* problem) {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess || count == 0) {
    (void)cudaGetLastError();
    if (problem != nullptr) *problem = why_none(status);
    return {};
  }
  std::vector<DeviceDescription> devices;
  for (int index = 0; index < count; ++index) {
    cudaDeviceProp properties{};
    check(cudaGetDeviceProperties(&properties, index));
    devices.push_back(describe_device(properties));
  }
  return devices;
}

}  // namespace tern::cuda
