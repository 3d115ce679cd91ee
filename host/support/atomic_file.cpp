#include "host/support/atomic_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <random>
#include <system_error>

#include "tern/error.hpp"
#include "tern/tensor_file.hpp"

namespace tern {

AtomicFile::AtomicFile(const std::filesystem::path& path) : path_(path) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (std::filesystem::exists(status)) {
    if (!std::filesystem::is_regular_file(status)) {
      throw Error(fmt::format("{}: not a regular file, and is not replaced", path.string()));
    }
    // A symbolic link stays one; the file that it points to is replaced.
    path_ = std::filesystem::canonical(path, error);
    if (error) fail("cannot be resolved", error.value());
  }
  std::random_device entropy;
  constexpr int kTries = 16;
  for (int i = 0; i < kTries && !fd_.valid(); ++i) {
    beside_ = fmt::format("{}.{:08x}.tmp", path_.string(), entropy());
    fd_ = UniqueFd(::open(beside_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (!fd_.valid() && errno != EEXIST) break;
  }
  if (!fd_.valid()) {
    const int reason = errno;
    beside_.clear();
    fail("cannot be created", reason);
  }
}

AtomicFile::~AtomicFile() {
  if (!beside_.empty()) ::unlink(beside_.c_str());
}

void AtomicFile::fail(std::string_view what, int error) const {
  throw Error(fmt::format("{}: the file {}: {}", path_.string(), what,
                          std::generic_category().message(error)));
}

void AtomicFile::write(const void* data, std::size_t bytes) {
  constexpr std::size_t kMaxAtOnce = std::size_t{1} << 30;
  const char* cursor = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t done = ::write(fd_.get(), cursor, std::min(bytes, kMaxAtOnce));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) fail("cannot be written", errno);
    cursor += done;
    bytes -= static_cast<std::size_t>(done);
  }
}

void AtomicFile::commit() {
  if (::fsync(fd_.get()) != 0) fail("cannot be synced to disk", errno);
  if (fd_.close() != 0) fail("cannot be closed", errno);
  if (std::rename(beside_.c_str(), path_.c_str()) != 0) fail("cannot be renamed", errno);
  beside_.clear();
  const std::filesystem::path parent = path_.has_parent_path() ? path_.parent_path() : ".";
  const UniqueFd directory(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // EINVAL: some file systems have no fsync for directories; the rename is done anyway.
  if (!directory.valid() || (::fsync(directory.get()) != 0 && errno != EINVAL)) {
    fail("is written, but its directory cannot be synced to disk", errno);
  }
}

bool is_temporary_name(std::string_view name) {
  constexpr std::string_view kEnd = ".tmp";
  constexpr std::size_t kDigits = 8;
  if (!name.ends_with(kEnd) || name.size() < kEnd.size() + kDigits + 2) return false;
  name.remove_suffix(kEnd.size());
  const std::string_view digits = name.substr(name.size() - kDigits);
  return name[name.size() - kDigits - 1] == '.' &&
         digits.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

void write_file_atomically(const std::filesystem::path& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

}  // namespace tern
