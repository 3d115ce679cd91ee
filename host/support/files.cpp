#include "host/support/files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "host/support/unique_fd.hpp"
#include "tern/error.hpp"

namespace tern {

namespace fs = std::filesystem;

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(fs::symlink_status(path, ignored));
}

std::vector<fs::path> list_directory(const fs::path& directory) {
  std::vector<fs::path> all;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    all.push_back(it->path());
  }
  return all;
}

void append_to_file(const fs::path& file, std::string_view bytes) {
  const UniqueFd out(
      ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0666));
  struct stat before {};
  const bool opened = out.valid() && ::fstat(out.get(), &before) == 0;
  const ssize_t written = opened ? ::write(out.get(), bytes.data(), bytes.size()) : -1;
  if (written == static_cast<ssize_t>(bytes.size())) return;
  const int reason = written < 0 ? errno : ENOSPC;
  if (written > 0 && ::ftruncate(out.get(), before.st_size) != 0) {
    errno = 0;  // readers find the partial bytes
  }
  throw Error(fmt::format("{}: cannot be written: {}", file.string(),
                          std::generic_category().message(reason)));
}

void remove_file(const fs::path& file) {
  std::error_code error;
  fs::remove(file, error);
  if (error) {
    throw Error(fmt::format("{}: cannot be removed: {}", file.string(), error.message()));
  }
}

void remove_quietly(const fs::path& file) {
  std::error_code ignored;
  fs::remove(file, ignored);
}

}  // namespace tern
