#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tern/backend.hpp"

namespace tern {

// The CUDA backend is a shared library, libtern_cuda.so, which the program loads when it is there:
// a program built with CUDA starts on machines that have none of its libraries. What the two sides
// agree on is this header. Both come from one source tree and one compiler, so that C++ types and
// exceptions may cross.

/// Names the layout of Plugin and of every class that crosses (Backend, the owners of storage.hpp,
/// options, exceptions). To be raised with any change to one of them; a library that answers
/// another string is refused before anything else of it is called.
inline constexpr char kPluginAbi[] = "tern-plugin-4";

/// File name of the library with the CUDA backend.
inline constexpr char kCudaPluginFile[] = "libtern_cuda.so";

/// What the library's one exported symbol answers. Lives as long as the library stays loaded.
struct Plugin {
  /// kPluginAbi as the library was compiled with. First, so that it can be read whatever follows.
  const char* abi;
  /// The devices that can be used, in the order of their numbers. Where there is none, *problem
  /// gets one line that says why (no driver, driver too old, no device). Never throws DeviceError.
  std::vector<DeviceDescription> (*list_devices)(std::string* problem);
  /// A backend on device `index` of that list. Throws DeviceError.
  std::unique_ptr<Backend> (*make_backend)(int index, Reproducibility reproducibility);
};

/// Name and type of the exported symbol: extern "C" const tern::Plugin* tern_plugin();
inline constexpr char kPluginSymbol[] = "tern_plugin";
using PluginEntry = const Plugin* (*)();

}  // namespace tern
