#pragma once

#include <string>

namespace tern {

/// The result of loading a shared library: its handle, or one line with the reason for failure.
struct SharedLibrary {
  void* handle = nullptr;
  /// Whether the library exists, usable or not.
  bool present = false;
  std::string path;
  /// Empty if there is a handle.
  std::string problem;

  /// The address of an exported symbol; null if the symbol or the library is missing.
  void* symbol(const char* name) const;
};

/// Loads `file`. If the environment variable `variable` is set, it is the only path that is tried;
/// else the search order is: beside the program, in ../lib from there, on the system's library path.
/// The library is never unloaded, because objects and exceptions may need its code. Does not throw
/// if the library is absent or broken.
SharedLibrary load_shared_library(const char* file, const char* variable);

}  // namespace tern
