#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tern/backend.hpp"

namespace tern {

// The CUDA backend is a shared library, libtern_cuda.so, which the program loads if it is present:
// a program built with CUDA also starts on machines without the CUDA libraries. This header is the
// interface between the two. Both are built from one source tree by one compiler, so that C++ types
// and exceptions may cross.

/// Names the layout of Plugin and of every class that crosses (Backend, the owners of storage.hpp,
/// options, exceptions). Change it with any change to one of them: a library with another string
/// is refused before anything else in it is called.
inline constexpr char kPluginAbi[] = "tern-plugin-4";

/// File name of the library with the CUDA backend.
inline constexpr char kCudaPluginFile[] = "libtern_cuda.so";

/// Returned by the library's one exported symbol. Valid as long as the library is loaded.
struct Plugin {
  /// The library's own kPluginAbi. The first field, so that it can be read whatever follows.
  const char* abi;
  /// The usable devices, ordered by number. If there is none, *problem gets one line with the
  /// reason (no driver, driver too old, no device). Never throws DeviceError.
  std::vector<DeviceDescription> (*list_devices)(std::string* problem);
  /// A backend on device `index` of that list. Throws DeviceError.
  std::unique_ptr<Backend> (*make_backend)(int index, Reproducibility reproducibility);
};

/// Name and type of the exported symbol: extern "C" const tern::Plugin* tern_plugin();
inline constexpr char kPluginSymbol[] = "tern_plugin";
using PluginEntry = const Plugin* (*)();

}  // namespace tern
