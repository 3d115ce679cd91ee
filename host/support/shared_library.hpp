#pragma once

#include <string>

namespace tern {

/// The result of loading a shared library of ours: its handle, or one line with the reason why
/// there is none.
struct SharedLibrary {
  void* handle = nullptr;
  /// Whether a library is there at all, usable or not.
  bool present = false;
  std::string path;
  /// Empty if there is a handle.
  std::string problem;

  /// The address of an exported symbol; null if there is none, or no library.
  void* symbol(const char* name) const;
};

/// Loads `file`, which is searched in this order: at the path in the environment variable
/// `variable` (and then nowhere else), beside the program, in ../lib from there, and on the
/// system's library path. It is never unloaded: objects and exceptions may need its
/// code. Does not throw if the library is absent or broken.
SharedLibrary load_shared_library(const char* file, const char* variable);

}  // namespace tern
