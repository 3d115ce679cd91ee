#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tern/backend.hpp"

namespace tern {

/// The f64 oracle: plain loops, one thread.
std::unique_ptr<Backend> make_reference_backend();

/// The production CPU backend, f32. threads: 0 for as many as the process may use.
std::unique_ptr<Backend> make_cpu_backend(int threads = 0);

/// A backend by name: "auto" (CUDA where a GPU answers, else the CPU), "cpu", "cuda", "cuda:N",
/// "reference". *notice gets one line where "auto" had to fall back from a CUDA build to the CPU.
/// Throws ConfigError on another name, DeviceError when the device is not there.
std::unique_ptr<Backend> make_backend(std::string_view device, int threads = 0,
                                      std::string* notice = nullptr,
                                      Reproducibility reproducibility = Reproducibility::kBitwise);

/// What this machine has: one entry a usable device, "cpu" first. *cuda_status says in one line
/// whether CUDA is usable, and why not where it is not.
std::vector<DeviceDescription> list_devices(std::string* cuda_status = nullptr);

}  // namespace tern
