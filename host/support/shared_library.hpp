#pragma once

#include <string>

namespace tern {

/// The outcome of looking for a shared library of ours: its handle, or one line that says why there
/// is none.
struct SharedLibrary {
  void* handle = nullptr;
  /// Whether a library is there at all, usable or not.
  bool present = false;
  std::string path;
  /// Empty where there is a handle.
  std::string problem;

  /// The address of an exported symbol; null where there is none, or no library.
  void* symbol(const char* name) const;
};

/// Loads `file`, which is looked for in this order: at the path in the environment variable
/// `variable` (and then nowhere else), beside the program, in ../lib from there, and on the
/// system's library path. It is never unloaded: objects, and exceptions in flight, have their code
/// there. Never throws on a library that is absent or broken.
SharedLibrary load_shared_library(const char* file, const char* variable);

}  // namespace tern
