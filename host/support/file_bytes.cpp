#include "host/support/file_bytes.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "tern/error.hpp"
#include "tern/memory.hpp"

namespace tern {
namespace {

/// Fewer bytes are not checked against the free memory: they cannot exhaust a machine, and asking
/// takes as long as reading a small file.
constexpr std::size_t kFewBytes = std::size_t{1} << 26;

}  // namespace

ByteLimit::ByteLimit(std::string_view file, std::int64_t max_bytes, std::string_view most,
                     ByteUse use)
    : file_(file),
      reason_(most),
      most_(static_cast<std::size_t>(std::max<std::int64_t>(max_bytes, 0))),
      memory_checked_(use == ByteUse::kPassing) {}

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

ByteBuffer read_to_end(ByteStream& stream, std::size_t expected, ByteLimit& limit,
                       std::string_view what) {
  limit.check(expected, what);
  ByteBuffer bytes;
  // One byte more than expected, so that reading finds the end without growing the buffer.
  bytes.reserve(limit.room(std::max<std::size_t>(expected, 4095) + 1));
  while (true) {
    limit.check(bytes.size(), what);
    if (bytes.size() == bytes.capacity()) bytes.reserve(limit.room(bytes.capacity() * 2));
    const std::size_t got = stream.read(bytes.end(), bytes.capacity() - bytes.size());
    if (got == 0) return bytes;
    bytes.extend(got);
  }
}

ByteBuffer read_whole_file(const std::filesystem::path& path, std::int64_t max_bytes) {
  const std::string file = path.string();
  ByteLimit limit(file, max_bytes);
  FileStream stream(file);
  return read_to_end(stream, stream.size(), limit);
}

}  // namespace tern
