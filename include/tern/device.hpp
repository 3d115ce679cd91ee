#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tern/backend.hpp"

namespace tern {

/// The f64 oracle: plain loops, one thread.
std::unique_ptr<Backend> make_reference_backend();

/// The production CPU backend, f32. threads: 0 for all that the process may use.
std::unique_ptr<Backend> make_cpu_backend(int threads = 0);

/// A backend by name: "auto" (CUDA if there is a usable GPU, else the CPU), "cpu", "cuda",
/// "cuda:N", "reference". *notice gets one line if "auto" is the CPU, with the reason.
/// The CUDA backend is libtern_cuda.so: the file that the environment variable TERN_CUDA_LIBRARY names, or
/// else the first one beside the program, in ../lib from there, beside a shared libtern, and on the loader's
/// path, which has the library folder of tern::tern if CMake linked the program. Throws ConfigError on another name, DeviceError if the device is absent.
std::unique_ptr<Backend> make_backend(std::string_view device, int threads = 0,
                                      std::string* notice = nullptr,
                                      Reproducibility reproducibility = Reproducibility::kBitwise);

/// The usable devices of this machine, "cpu" first. *cuda_status gets one line: whether CUDA is
/// usable, and if not, why.
std::vector<DeviceDescription> list_devices(std::string* cuda_status = nullptr);

}  // namespace tern
