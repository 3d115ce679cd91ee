#pragma once

#include <cstdint>
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
inline constexpr char kPluginAbi[] = "tern-plugin-8";

/// File name of the library with the CUDA backend.
inline constexpr char kCudaPluginFile[] = "libtern_cuda.so";

class RankGroup;  // host/backend/rank_group.hpp

/// The backend that a plugin shall make.
struct PluginOptions {
  int device = 0;  // its place in the list of devices
  Reproducibility reproducibility = Reproducibility::kBitwise;
  /// The most bytes that triplets planned ahead may take; 0: a share of the device's memory. Results do
  /// not depend on it: tests set it to plan an epoch in parts.
  std::int64_t plan_bytes = 0;
  /// The ranks that have the other columns of every matrix: the backend connects its device with theirs by
  /// NCCL, and all ranks make one at the same time. They outlive it. Null: the backend has all columns.
  RankGroup* ranks = nullptr;
};

/// Returned by the library's one exported symbol. Valid as long as the library is loaded.
struct Plugin {
  /// The library's own kPluginAbi. The first field, so that it can be read whatever follows.
  const char* abi;
  /// The usable devices, ordered by number. If there is none, *problem gets one line with the
  /// reason (no driver, driver too old, no device). Never throws DeviceError.
  std::vector<DeviceDescription> (*list_devices)(std::string* problem);
  /// Throws DeviceError.
  std::unique_ptr<Backend> (*make_backend)(const PluginOptions& options);
};

/// Name and type of the exported symbol: extern "C" const tern::Plugin* tern_plugin();
inline constexpr char kPluginSymbol[] = "tern_plugin";
using PluginEntry = const Plugin* (*)();

}  // namespace tern
