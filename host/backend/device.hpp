#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "tern/backend.hpp"
#include "tern/config.hpp"
#include "tern/plugin.hpp"

namespace tern {

/// The CUDA backend, with options that make_backend() (tern/device.hpp) leaves at their defaults. Throws
/// DeviceError if there is no such device, or it cannot be used.
std::unique_ptr<Backend> make_cuda_backend(const PluginOptions& options);

/// make_backend() for a model with these options: if the model propagates in bf16, "auto" is the CPU,
/// because a GPU would refuse the model. *notice then gets one line if there is a usable GPU. Unlike
/// make_backend(), it says nothing if there is no CUDA library, as in a program that was built without one.
std::unique_ptr<Backend> make_backend_for(
    const ModelOptions& model, std::string_view device, int threads = 0,
    std::string* notice = nullptr, Reproducibility reproducibility = Reproducibility::kBitwise);

}  // namespace tern
