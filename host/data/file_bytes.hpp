#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
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

/// The content of a file, decompressed where it is gzip or zstd (told by its first bytes; members
/// and frames may follow each other). Read, not mapped: a mapping of a file that another program
/// shortens would kill this one. No more than max_bytes, nor than half the machine's memory, are
/// read or made of it: DataError. DataError too when it cannot be read, is cut short or damaged, or
/// is compressed in another way.
ByteBuffer read_file(const std::filesystem::path& path, std::int64_t max_bytes);
/// The same without a look at what the bytes are: for files that Tern writes.
ByteBuffer read_plain_file(const std::filesystem::path& path, std::int64_t max_bytes);

}  // namespace tern
