#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace tern {

/// A buffer that grows at its end. Unlike a std::string, it grows by realloc, which moves large
/// blocks by remapping pages, and does not clear new bytes.
class ByteBuffer {
 public:
  std::string_view view() const noexcept { return {data_.get(), size_}; }
  std::span<char> bytes() noexcept { return {data_.get(), size_}; }
  std::size_t size() const noexcept { return size_; }
  std::size_t capacity() const noexcept { return capacity_; }

  /// Makes room for this many bytes in all. Throws std::bad_alloc.
  void reserve(std::size_t capacity);
  /// The place of the next byte; capacity() - size() bytes fit.
  char* end() noexcept { return data_.get() + size_; }
  /// Counts bytes that were written at end().
  void extend(std::size_t bytes) noexcept { size_ += bytes; }

 private:
  struct Free {
    void operator()(char* data) const noexcept { std::free(data); }
  };
  std::unique_ptr<char, Free> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

/// Limits the bytes that are read from a file, or decompressed from it. When they exceed 64 MiB, a
/// quarter of the memory that is free then is a limit too: parsing a text takes at least as much
/// memory again, and three times as much for a list of numbers.
class ByteLimit {
 public:
  static constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();

  /// file: the name in errors; most: the message's description of max_bytes.
  ByteLimit(std::string_view file, std::int64_t max_bytes,
            std::string_view most = "the most that is allowed");

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
  bool by_memory_ = false;  // whether free memory is the lower limit
  bool memory_checked_ = false;
};

/// The bytes of a file. The file is read, not mapped: if another program shortened a mapped file, this
/// one would be killed. Throws DataError if it cannot be read, or has more than max_bytes bytes (if
/// its size shows that, before reading).
ByteBuffer read_whole_file(const std::filesystem::path& path,
                           std::int64_t max_bytes = ByteLimit::kUnlimited);
ByteBuffer read_whole_file(const std::string& file, ByteLimit& limit);
/// The bytes of standard input up to its end; file: its name in errors.
ByteBuffer read_standard_input(const std::string& file, ByteLimit& limit);

}  // namespace tern
