#include "host/support/byte_stream.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "tern/error.hpp"

namespace tern {
namespace {

constexpr std::size_t kMaxAtOnce = std::size_t{1} << 30;  // read(2) stops a little below 2 GiB

[[noreturn]] void throw_system(const std::string& file, std::string_view what, int error) {
  throw DataError(file, 0, fmt::format("{}: {}", what, std::generic_category().message(error)));
}

}  // namespace

FileStream::FileStream(const std::string& file)
    : file_(file), own_(::open(file.c_str(), O_RDONLY | O_CLOEXEC)), fd_(own_.get()) {
  if (!own_.valid()) throw_system(file_, "the file cannot be opened", errno);
  examine();
}

FileStream::FileStream(StandardInput, const std::string& file) : file_(file), fd_(STDIN_FILENO) {
  examine();
}

void FileStream::examine() {
  struct stat status {};
  if (::fstat(fd_, &status) != 0) throw_system(file_, "the file cannot be examined", errno);
  if (S_ISDIR(status.st_mode)) throw DataError(file_, 0, "found a directory, expected a file");
  size_ = static_cast<std::size_t>(std::max<off_t>(status.st_size, 0));
}

std::size_t FileStream::read(char* to, std::size_t most) {
  while (true) {
    const ssize_t got = ::read(fd_, to, std::min(most, kMaxAtOnce));
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) throw_system(file_, "the file cannot be read", errno);
  }
}

}  // namespace tern
