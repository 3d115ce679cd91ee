#pragma once

#include <string>
#include <vector>

#include "tern/backend.hpp"

namespace tern::cuda {

/// The devices that can be used, in the order of their numbers. Where there is none, *problem (if
/// given) gets one line that says why: no driver, a driver too old, no device. Throws DeviceError
/// where a device that is there cannot be asked.
std::vector<DeviceDescription> query_devices(std::string* problem = nullptr);

}  // namespace tern::cuda
