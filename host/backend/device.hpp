#pragma once

#include <memory>

#include "tern/backend.hpp"
#include "tern/plugin.hpp"

namespace tern {

/// The CUDA backend, with options that make_backend() (tern/device.hpp) leaves at their defaults. Throws
/// DeviceError if there is no such device, or it cannot be used.
std::unique_ptr<Backend> make_cuda_backend(const PluginOptions& options);

}  // namespace tern
