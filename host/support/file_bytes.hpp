#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <string_view>

#include "host/support/byte_stream.hpp"
#include "host/support/growing_array.hpp"

namespace tern {

/// Bytes that are read one block after another.
class ByteBuffer : public GrowingArray<char> {
 public:
  std::string_view view() const noexcept { return {data(), size()}; }
  std::span<char> bytes() noexcept { return {data(), size()}; }
};

/// Whether bytes stay in memory when they have been read.
enum class ByteUse : bool { kKept, kPassing };

/// Limits the bytes that are read from a file, or decompressed from it. When bytes that are kept exceed
/// 64 MiB, a quarter of the memory that is free then is a limit too: parsing them takes at least as much
/// memory again.
class ByteLimit {
 public:
  static constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();

  /// file: the name in errors; most: the message's description of max_bytes.
  ByteLimit(std::string_view file, std::int64_t max_bytes,
            std::string_view most = "the most that is allowed", ByteUse use = ByteUse::kKept);

  /// Throws DataError if `what`, such as "the file", has more bytes than the limit.
  void check(std::size_t bytes, std::string_view what);
  /// The capacity to reserve: `wanted`, but at most one byte above the limit. That byte shows whether
  /// the data ends at the limit.
  std::size_t room(std::size_t wanted);

 private:
  void limit_by_memory(std::size_t bytes);

  std::string_view file_;
  std::string_view reason_;
  std::size_t most_ = 0;
  bool by_memory_ = false;       // whether free memory is the lower limit
  bool memory_checked_ = false;  // or need not be
};

/// All bytes of a stream. expected: about how many, or 0; what: their name in the error of the limit.
ByteBuffer read_to_end(ByteStream& stream, std::size_t expected, ByteLimit& limit,
                       std::string_view what = "the file");

/// The bytes of a file. Throws DataError if it cannot be read, or has more than max_bytes bytes (if its size
/// shows that, before reading).
ByteBuffer read_whole_file(const std::filesystem::path& path,
                           std::int64_t max_bytes = ByteLimit::kUnlimited);

}  // namespace tern
