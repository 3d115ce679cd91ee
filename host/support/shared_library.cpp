#include "host/support/shared_library.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "host/support/library_folders.hpp"

// TERN_LIBRARY_FOLDER: the folder of the installation's libraries, relative to its prefix
// (host/CMakeLists.txt).

namespace tern {
namespace {

namespace fs = std::filesystem;

/// The library that a failed load lacks, of "NAME: cannot open shared object file: ..."; empty if the
/// reason is another one, or NAME a path.
std::string missing_library(std::string_view problem) {
  const std::size_t end = problem.find(": cannot open shared object file");
  if (end == std::string_view::npos) return "";
  const std::string_view name = problem.substr(0, end);
  return name.find('/') == std::string_view::npos ? std::string(name) : "";
}

void* open_library(const std::string& path) {
  return dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
}

std::string problem_of_loading() {
  const char* reason = dlerror();
  return reason != nullptr ? reason : "the loader gave no reason";
}

/// CUDA's libraries need each other three deep at most.
constexpr int kMaxDepth = 8;

/// Loads a library and, before it, those of CUDA's folders that the loader does not find. Null if it
/// fails; *problem then has the reason.
void* load(const std::string& path, int depth, std::string* problem) {
  std::string last;
  for (;;) {
    if (void* handle = open_library(path); handle != nullptr) return handle;
    *problem = problem_of_loading();
    const std::string missing = missing_library(*problem);
    // Once loaded, a library cannot be missing again.
    if (missing.empty() || missing == path || missing == last || depth == kMaxDepth) return nullptr;
    last = missing;
    bool found = false;
    for (const fs::path& folder : cuda_library_folders()) {
      std::error_code ignored;
      const fs::path candidate = folder / missing;
      found =
          fs::exists(candidate, ignored) && load(candidate.string(), depth + 1, problem) != nullptr;
      if (found) break;
    }
    if (!found) return nullptr;
  }
}

/// The folder of the shared library that holds this code, if there is one. A program gives the name that
/// it was started by: that may be relative, and its folder is known.
fs::path folder_of_this_code() {
  Dl_info info{};
  const auto* code = reinterpret_cast<const void*>(&find_shared_library);
  if (dladdr(code, &info) == 0 || info.dli_fname == nullptr || info.dli_fname[0] != '/') return {};
  std::error_code ignored;
  return fs::weakly_canonical(info.dli_fname, ignored).parent_path();
}

}  // namespace

void* SharedLibrary::symbol(const char* name) const {
  return handle != nullptr ? dlsym(handle, name) : nullptr;
}

LibraryPath find_shared_library(const char* file, const char* variable) {
  if (const char* named = std::getenv(variable); named != nullptr && *named != '\0') {
    return {named, true, true};
  }
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  if (program.empty()) return {.path = file, .present = false, .named = false};
  for (const fs::path& folder :
       {program, program / "../lib", program / ".." / TERN_LIBRARY_FOLDER, folder_of_this_code()}) {
    if (folder.empty()) continue;
    const fs::path candidate = folder / file;
    if (fs::exists(candidate, ignored)) {
      return {candidate.lexically_normal().string(), true, false};
    }
  }
  return {.path = file, .present = false, .named = false};
}

SharedLibrary load_shared_library(const LibraryPath& found) {
  SharedLibrary library;
  library.present = found.present;
  library.path = found.path;
  library.handle = load(library.path, 0, &library.problem);
  if (library.handle != nullptr) {
    library.present = true;
    library.problem.clear();
    return library;
  }
  // On the system's library path, only the reason shows whether the library itself is missing, or
  // another one that it needs.
  if (!library.present) library.present = !library.problem.starts_with(found.path);
  if (!library.present) library.problem = fmt::format("there is no {} here", found.path);
  return library;
}

bool is_loadable(const char* file) {
  void* handle = dlopen(file, RTLD_LAZY | RTLD_LOCAL);
  if (handle == nullptr) return false;
  dlclose(handle);
  return true;
}

}  // namespace tern
