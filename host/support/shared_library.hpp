#pragma once

#include <string>

namespace tern {

/// The place to load a shared library from.
struct LibraryPath {
  std::string path;
  /// Whether there is such a file; false: only the system's library path may have it.
  bool present = false;
  /// Whether the user named it.
  bool named = false;
};

/// If the environment variable `variable` is set, its value; else the first that exists of: beside the
/// program; ../lib from there, or the folder of the same name that it was installed in; beside the library that
/// holds Tern, if it is a shared one; else `file`, which the loader looks for.
LibraryPath find_shared_library(const char* file, const char* variable);

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

/// Loads a library. If others that it needs are not on the loader's path, they are loaded from the folders of
/// host/support/library_folders.hpp. The library is never unloaded, because objects and exceptions may
/// need its code. Does not throw if the library is absent or broken.
SharedLibrary load_shared_library(const LibraryPath& library);

/// Whether a library on the system's library path can be loaded.
bool is_loadable(const char* file);

}  // namespace tern
