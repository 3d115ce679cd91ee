#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <string_view>

namespace tern {

/// Bytes that grow at the end. realloc moves large blocks by remapping pages, and new bytes are not
/// cleared: what a std::string cannot do in C++20.
class ByteBuffer {
 public:
  std::string_view view() const noexcept { return {data_.get(), size_}; }
  std::size_t size() const noexcept { return size_; }
  std::size_t capacity() const noexcept { return capacity_; }

  /// Room for this many bytes in all; throws std::bad_alloc.
  void reserve(std::size_t capacity);
  /// Where the next byte goes; capacity() - size() of them fit.
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

/// The most bytes that are read from a file, or made of it. Beyond some megabytes a quarter of the
/// memory that is free when they are reached is a limit too: what is made of a text takes at least
/// as much again, three times as much for a list of numbers.
class ByteLimit {
 public:
  static constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();

  /// For the message: file is the name of the file, most what max_bytes is.
  ByteLimit(std::string_view file, std::int64_t max_bytes,
            std::string_view most = "the most that is allowed");

  /// Throws DataError where a file has so many bytes, or might have ("decompressed").
  void check(std::size_t bytes, std::string_view what);
  /// As much room as wanted, or one byte more than is allowed: by that byte the end is told from
  /// going on.
  std::size_t room(std::size_t wanted);

 private:
  void look(std::size_t bytes);

  std::string_view file_;
  std::string_view reason_;
  std::size_t most_ = 0;
  bool by_memory_ = false;  // which limit is the lower one
  bool looked_ = false;
};

/// The bytes of a file. Read, not mapped: a mapping of a file that another program shortens would
/// kill this one. Throws DataError if it cannot be read or has more than max_bytes; if its size
/// says so, before anything is read.
ByteBuffer read_whole_file(const std::filesystem::path& path,
                           std::int64_t max_bytes = ByteLimit::kUnlimited);
ByteBuffer read_whole_file(const std::string& file, ByteLimit& limit);

}  // namespace tern
