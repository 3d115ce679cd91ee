#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "tern/backend.hpp"
#include "tern/plugin.hpp"

namespace tern {

/// The CUDA backend, with options that make_backend() (tern/device.hpp) leaves at their defaults. Throws
/// DeviceError if there is no such device, or it cannot be used.
std::unique_ptr<Backend> make_cuda_backend(const PluginOptions& options);

/// make_backend() for the program. Unlike that, it says nothing if there is no CUDA library, as in a
/// program that was built without one.
std::unique_ptr<Backend> make_program_backend(
    std::string_view device, int threads = 0, std::string* notice = nullptr,
    Reproducibility reproducibility = Reproducibility::kBitwise);

}  // namespace tern
