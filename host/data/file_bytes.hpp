#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <memory>
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

/// How large the bytes of a file may grow. max_bytes is data.max_bytes, or kUnlimited; beyond some
/// megabytes, a quarter of the memory that is free when they are reached is a limit too: what is
/// made of a text takes at least as much again, thrice for a list of numbers.
class ByteLimit {
 public:
  static constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();

  ByteLimit(std::string_view file, std::int64_t max_bytes);

  /// Throws DataError where a file has so many bytes, or might have ("decompressed").
  void check(std::size_t bytes, std::string_view what);
  /// As much room as wanted, or one byte more than is allowed: by that byte the end is told from
  /// going on.
  std::size_t room(std::size_t wanted);

 private:
  void look(std::size_t bytes);

  std::string_view file_;
  std::size_t most_ = 0;
  bool by_memory_ = false;  // which limit is the lower one
  bool looked_ = false;
};

/// The content of a file, decompressed where it is gzip or zstd (told by its first bytes; members
/// and frames may follow each other). Read, not mapped: a mapping of a file that another program
/// shortens would kill this one. No more than ByteLimit allows is read or made of it:
/// DataError, before anything is read where the file's size says so. DataError too when it cannot
/// be read, is cut short or damaged, or is compressed in another way.
ByteBuffer read_file(const std::filesystem::path& path, std::int64_t max_bytes);
/// The same without a look at what the bytes are: for files that Tern writes.
ByteBuffer read_plain_file(const std::filesystem::path& path, std::int64_t max_bytes);

}  // namespace tern
