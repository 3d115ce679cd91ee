#include "host/support/library_folders.hpp"

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <string>
#include <system_error>

namespace tern {
namespace {

namespace fs = std::filesystem;
using Paths = std::vector<fs::path>;

/// The value of an environment variable; empty if it is not set.
fs::path environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

/// The folders in a folder; none if it cannot be read.
Paths folders_in(const fs::path& folder) {
  Paths found;
  std::error_code ignored;
  for (fs::directory_iterator entry(folder, ignored), end; entry != end; entry.increment(ignored)) {
    if (entry->is_directory(ignored)) found.push_back(entry->path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// The prefix of the first python3 on PATH, such as that of an active environment.
fs::path prefix_of_python() {
  std::istringstream path(environment("PATH").string());
  std::error_code ignored;
  for (std::string folder; std::getline(path, folder, ':');) {
    if (fs::exists(fs::path(folder) / "python3", ignored)) {
      return fs::path(folder).parent_path();
    }
  }
  return {};
}

void add_wheels(const fs::path& prefix, Paths& found) {
  if (prefix.empty()) return;
  std::error_code ignored;
  for (const fs::path& python : folders_in(prefix / "lib")) {
    if (!python.filename().string().starts_with("python3")) continue;
    for (const char* packages : {"site-packages", "dist-packages"}) {
      for (const fs::path& package : folders_in(python / packages / "nvidia")) {
        if (fs::is_directory(package / "lib", ignored)) found.push_back(package / "lib");
      }
    }
  }
}

}  // namespace

std::vector<fs::path> cuda_library_folders() {
  Paths found;
  std::error_code ignored;
  for (const fs::path& toolkit :
       {environment("CUDA_HOME"), environment("CUDA_PATH"), fs::path("/usr/local/cuda")}) {
    if (!toolkit.empty() && fs::is_directory(toolkit / "lib64", ignored)) {
      found.push_back(toolkit / "lib64");
    }
  }
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored);
  const fs::path home = environment("HOME");
  for (const fs::path& prefix :
       {program.parent_path().parent_path(), environment("VIRTUAL_ENV"),
        environment("CONDA_PREFIX"), prefix_of_python(), home.empty() ? home : home / ".local",
        fs::path("/usr/local"), fs::path("/usr")}) {
    add_wheels(prefix, found);
  }
  return found;
}

}  // namespace tern
