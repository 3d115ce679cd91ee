#pragma once

#include <cuda_runtime_api.h>

#include <string>
#include <vector>

#include "tern/backend.hpp"

namespace tern::cuda {

/// The devices that can be used, in the order of their numbers. If there is none, *problem (unless
/// null) gets one line with the reason: no driver, a driver too old, no device. Throws DeviceError
/// if a device does not answer.
std::vector<DeviceDescription> query_devices(std::string* problem = nullptr);

/// The description of one device, from its properties. Throws DeviceError if the driver does not
/// answer.
DeviceDescription describe_device(const cudaDeviceProp& properties);

}  // namespace tern::cuda
