#pragma once

#include <cuda_runtime_api.h>

namespace tern::cuda {

/// Throws DeviceError unless this library holds code for the current device. The message names both
/// architectures and what to do. `device` is its number, for the message.
void expect_code_for(const cudaDeviceProp& properties, int device);

}  // namespace tern::cuda
