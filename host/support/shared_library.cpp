#include "host/support/shared_library.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace tern {
namespace {

namespace fs = std::filesystem;

/// The path to load the library from, and whether it exists.
SharedLibrary find(const char* file, const char* variable) {
  SharedLibrary library;
  library.path = file;
  if (const char* named = std::getenv(variable); named != nullptr && *named != '\0') {
    library.path = named;
    library.present = true;
    return library;
  }
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored);
  if (program.empty()) return library;
  for (const fs::path& folder : {program.parent_path(), program.parent_path() / "../lib"}) {
    const fs::path candidate = folder / file;
    if (fs::exists(candidate, ignored)) {
      library.path = candidate.lexically_normal().string();
      library.present = true;
      return library;
    }
  }
  return library;
}

}  // namespace

void* SharedLibrary::symbol(const char* name) const {
  return handle != nullptr ? dlsym(handle, name) : nullptr;
}

SharedLibrary load_shared_library(const char* file, const char* variable) {
  SharedLibrary library = find(file, variable);
  library.handle = dlopen(library.path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library.handle != nullptr) {
    library.present = true;
    return library;
  }
  const char* reason = dlerror();
  library.problem = reason != nullptr ? reason : "the loader gave no reason";
  // On the system's library path, only the reason shows whether the library itself is missing, or
  // another one that it needs.
  if (!library.present) library.present = !library.problem.starts_with(file);
  if (!library.present) library.problem = fmt::format("there is no {} here", file);
  return library;
}

}  // namespace tern
