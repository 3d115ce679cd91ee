#include "host/data/file_bytes.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <system_error>

#include "host/data/compression.hpp"
#include "host/data/unique_fd.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

constexpr std::size_t kMostAtOnce = std::size_t{1} << 30;  // read(2) stops a little below 2 GiB

std::size_t memory_limit(std::int64_t max_bytes) {
  const auto pages = static_cast<std::int64_t>(::sysconf(_SC_PHYS_PAGES));
  const auto page = static_cast<std::int64_t>(::sysconf(_SC_PAGESIZE));
  const std::int64_t half = pages > 0 && page > 0 ? pages / 2 * page : max_bytes;
  return static_cast<std::size_t>(std::max<std::int64_t>(std::min(max_bytes, half), 0));
}

[[noreturn]] void throw_system(const std::string& file, std::string_view what, int error) {
  throw DataError(file, 0, fmt::format("{}: {}.", what, std::generic_category().message(error)));
}

ByteBuffer read_raw(const std::string& file, std::size_t max_bytes) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) throw_system(file, "The file cannot be opened", errno);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) throw_system(file, "The file cannot be examined", errno);
  if (S_ISDIR(status.st_mode)) throw DataError(file, 0, "This is a directory, expected a file.");

  ByteBuffer bytes;
  // One more than it should hold, so that the end is seen without growing.
  bytes.reserve(
      std::min(static_cast<std::size_t>(std::max<off_t>(status.st_size, 4095)), max_bytes) + 1);
  while (true) {
    if (bytes.size() > max_bytes) {
      throw DataError(file, 0,
                      fmt::format("The file is longer than {} bytes, the most that is "
                                  "allowed here.",
                                  max_bytes));
    }
    if (bytes.size() == bytes.capacity()) {
      bytes.reserve(std::min(bytes.capacity() * 2, max_bytes + 1));
    }
    const ssize_t got =
        ::read(fd.get(), bytes.end(), std::min(bytes.capacity() - bytes.size(), kMostAtOnce));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_system(file, "The file cannot be read", errno);
    if (got == 0) return bytes;
    bytes.extend(static_cast<std::size_t>(got));
  }
}

}  // namespace

void ByteBuffer::reserve(std::size_t capacity) {
  if (capacity <= capacity_) return;
  void* grown = std::realloc(data_.get(), capacity);
  if (grown == nullptr) throw std::bad_alloc();
  static_cast<void>(data_.release());  // realloc has freed or kept it
  data_.reset(static_cast<char*>(grown));
  capacity_ = capacity;
}

ByteBuffer read_plain_file(const std::filesystem::path& path, std::int64_t max_bytes) {
  return read_raw(path.string(), memory_limit(max_bytes));
}

ByteBuffer read_file(const std::filesystem::path& path, std::int64_t max_bytes) {
  const std::string file = path.string();
  const std::size_t limit = memory_limit(max_bytes);
  ByteBuffer bytes = read_raw(file, limit);
  switch (const Compression compression = detect_compression(bytes.view())) {
    case Compression::kNone:
      return bytes;
    case Compression::kUnknown:
      throw DataError(file, 0,
                      "The file is compressed in a way that is not read here, expected plain "
                      "bytes, gzip or zstd.");
    case Compression::kGzip:
    case Compression::kZstd:
      return decompress(compression, bytes.view(), limit, file);
  }
  return bytes;
}

}  // namespace tern
