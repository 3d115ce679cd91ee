// Devices and errors of the emulated runtime.
#include <algorithm>
#include <mutex>
#include <stdexcept>
#include <utility>

#include "runtime.hpp"
#include "simt/runtime/api.hpp"

namespace simt {
namespace runtime {
namespace {

/// The devices of the process, as a driver has them.
struct Devices {
  std::mutex mutex;
  std::vector<Device> list;
};
Devices& devices() {
  static Devices instance;
  return instance;
}

thread_local int chosen_device = 0;
thread_local cudaError_t last_error = cudaSuccess;

}  // namespace

Device device_at(int device) {
  Devices& all = devices();
  const std::lock_guard lock(all.mutex);
  return all.list.at(static_cast<std::size_t>(device));
}
int device_count() {
  Devices& all = devices();
  const std::lock_guard lock(all.mutex);
  return static_cast<int>(all.list.size());
}
int current_device() {
  return chosen_device;
}

cudaError_t report(cudaError_t status) {
  if (status != cudaSuccess) last_error = status;
  return status;
}

}  // namespace runtime

void set_devices(std::vector<Device> list) {
  runtime::Devices& all = runtime::devices();
  const std::lock_guard lock(all.mutex);
  all.list = std::move(list);
}

}  // namespace simt

using simt::runtime::report;

cudaError_t cudaGetLastError() {
  return std::exchange(simt::runtime::last_error, cudaSuccess);
}

const char* cudaGetErrorName(cudaError_t status) {
  switch (status) {
    case cudaSuccess:
      return "cudaSuccess";
    case cudaErrorInvalidValue:
      return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation:
      return "cudaErrorMemoryAllocation";
    case cudaErrorInvalidConfiguration:
      return "cudaErrorInvalidConfiguration";
    case cudaErrorInvalidPitchValue:
      return "cudaErrorInvalidPitchValue";
    case cudaErrorInsufficientDriver:
      return "cudaErrorInsufficientDriver";
    case cudaErrorNoDevice:
      return "cudaErrorNoDevice";
    case cudaErrorInvalidDevice:
      return "cudaErrorInvalidDevice";
    case cudaErrorInvalidResourceHandle:
      return "cudaErrorInvalidResourceHandle";
    case cudaErrorNotReady:
      return "cudaErrorNotReady";
    case cudaErrorInvalidDeviceFunction:
      return "cudaErrorInvalidDeviceFunction";
    case cudaErrorInvalidKernelImage:
      return "cudaErrorInvalidKernelImage";
    case cudaErrorNoKernelImageForDevice:
      return "cudaErrorNoKernelImageForDevice";
    case cudaErrorInvalidPtx:
      return "cudaErrorInvalidPtx";
    case cudaErrorJitCompilerNotFound:
      return "cudaErrorJitCompilerNotFound";
    case cudaErrorUnsupportedPtxVersion:
      return "cudaErrorUnsupportedPtxVersion";
    case cudaErrorJitCompilationDisabled:
      return "cudaErrorJitCompilationDisabled";
    case cudaErrorECCUncorrectable:
      return "cudaErrorECCUncorrectable";
    case cudaErrorIllegalAddress:
      return "cudaErrorIllegalAddress";
    case cudaErrorLaunchTimeout:
      return "cudaErrorLaunchTimeout";
    case cudaErrorAssert:
      return "cudaErrorAssert";
    case cudaErrorHardwareStackError:
      return "cudaErrorHardwareStackError";
    case cudaErrorIllegalInstruction:
      return "cudaErrorIllegalInstruction";
    case cudaErrorMisalignedAddress:
      return "cudaErrorMisalignedAddress";
    case cudaErrorInvalidAddressSpace:
      return "cudaErrorInvalidAddressSpace";
    case cudaErrorInvalidPc:
      return "cudaErrorInvalidPc";
    case cudaErrorLaunchFailure:
      return "cudaErrorLaunchFailure";
    case cudaErrorNotSupported:
      return "cudaErrorNotSupported";
    case cudaErrorStreamCaptureUnsupported:
      return "cudaErrorStreamCaptureUnsupported";
    case cudaErrorStreamCaptureInvalidated:
      return "cudaErrorStreamCaptureInvalidated";
    case cudaErrorIllegalState:
      return "cudaErrorIllegalState";
  }
  return "unrecognized error code";
}
const char* cudaGetErrorString(cudaError_t status) {
  return status == cudaSuccess ? "no error" : "as the emulated runtime sees it";
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = simt::runtime::device_count() > 0 ? CUDART_VERSION : 0;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = simt::runtime::device_count();
  return *count == 0 ? report(cudaErrorNoDevice) : cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (device < 0 || device >= simt::runtime::device_count()) return report(cudaErrorInvalidDevice);
  const simt::Device found = simt::runtime::device_at(device);
  *properties = {};
  const std::size_t length = std::min(found.name.size(), sizeof properties->name - 1);
  std::copy_n(found.name.data(), length, properties->name);
  properties->uuid.bytes[15] = static_cast<char>(device);
  properties->totalGlobalMem = found.memory_bytes;
  properties->major = found.capability / 10;
  properties->minor = found.capability % 10;
  properties->multiProcessorCount = found.multiprocessors;
  properties->l2CacheSize = found.cache_bytes;
  properties->warpSize = 32;
  properties->maxThreadsPerBlock = 1024;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  if (device < 0 || device >= simt::runtime::device_count()) return report(cudaErrorInvalidDevice);
  if (attribute != cudaDevAttrMemoryPoolsSupported) return report(cudaErrorInvalidValue);
  *value = simt::runtime::device_at(device).memory_pools ? 1 : 0;
  return cudaSuccess;
}

cudaError_t cudaGetDevice(int* device) {
  *device = simt::runtime::current_device();
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  if (device < 0 || device >= simt::runtime::device_count()) return report(cudaErrorInvalidDevice);
  simt::runtime::chosen_device = device;
  return cudaSuccess;
}
