#include "host/support/file_bytes.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <system_error>

#include "host/support/unique_fd.hpp"
#include "tern/error.hpp"
#include "tern/memory.hpp"

namespace tern {
namespace {

constexpr std::size_t kMaxAtOnce = std::size_t{1} << 30;  // read(2) stops a little below 2 GiB

/// Fewer bytes are not checked against the free memory: they cannot exhaust a machine, and asking
/// takes as long as reading a small file.
constexpr std::size_t kFewBytes = std::size_t{1} << 26;

[[noreturn]] void throw_system(const std::string& file, std::string_view what, int error) {
  throw DataError(file, 0, fmt::format("{}: {}", what, std::generic_category().message(error)));
}

ByteBuffer read_to_end(int fd, const std::string& file, ByteLimit& limit) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) throw_system(file, "the file cannot be examined", errno);
  if (S_ISDIR(status.st_mode)) throw DataError(file, 0, "found a directory, expected a file");

  const auto size = static_cast<std::size_t>(std::max<off_t>(status.st_size, 0));
  limit.check(size, "the file");
  ByteBuffer bytes;
  // One byte more than the file's size, so that reading finds the end without growing the buffer.
  bytes.reserve(limit.room(std::max<std::size_t>(size, 4095) + 1));
  while (true) {
    limit.check(bytes.size(), "the file");
    if (bytes.size() == bytes.capacity()) bytes.reserve(limit.room(bytes.capacity() * 2));
    const ssize_t got =
        ::read(fd, bytes.end(), std::min(bytes.capacity() - bytes.size(), kMaxAtOnce));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_system(file, "the file cannot be read", errno);
    if (got == 0) return bytes;
    bytes.extend(static_cast<std::size_t>(got));
  }
}

}  // namespace

ByteLimit::ByteLimit(std::string_view file, std::int64_t max_bytes, std::string_view most)
    : file_(file),
      reason_(most),
      most_(static_cast<std::size_t>(std::max<std::int64_t>(max_bytes, 0))) {}

void ByteLimit::limit_by_memory(std::size_t bytes) {
  if (memory_checked_ || bytes <= kFewBytes) return;
  memory_checked_ = true;
  const auto quarter = static_cast<std::size_t>(host_memory().free / 4);
  by_memory_ = quarter < most_;
  if (by_memory_) most_ = std::max(quarter, kFewBytes);
}

void ByteLimit::check(std::size_t bytes, std::string_view what) {
  limit_by_memory(bytes);
  if (bytes <= most_) return;
  throw DataError(file_, 0,
                  fmt::format("{} is longer than {} bytes, {}", what, most_,
                              by_memory_ ? "a quarter of the free memory" : reason_));
}

std::size_t ByteLimit::room(std::size_t wanted) {
  limit_by_memory(wanted);
  return std::min(wanted, most_ + 1);
}

void ByteBuffer::reserve(std::size_t capacity) {
  if (capacity <= capacity_) return;
  void* grown = std::realloc(data_.get(), capacity);
  if (grown == nullptr) throw std::bad_alloc();
  static_cast<void>(data_.release());  // realloc has freed or kept it
  data_.reset(static_cast<char*>(grown));
  capacity_ = capacity;
}

ByteBuffer read_whole_file(const std::string& file, ByteLimit& limit) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) throw_system(file, "the file cannot be opened", errno);
  return read_to_end(fd.get(), file, limit);
}

ByteBuffer read_standard_input(const std::string& file, ByteLimit& limit) {
  return read_to_end(STDIN_FILENO, file, limit);
}

ByteBuffer read_whole_file(const std::filesystem::path& path, std::int64_t max_bytes) {
  const std::string file = path.string();
  ByteLimit limit(file, max_bytes);
  return read_whole_file(file, limit);
}

}  // namespace tern
