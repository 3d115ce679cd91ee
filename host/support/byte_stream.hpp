#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "host/support/unique_fd.hpp"

namespace tern {

/// Bytes that are read once, from the first to the last.
class ByteStream {
 public:
  ByteStream() = default;
  virtual ~ByteStream() = default;
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;

  /// Writes at least one and at most `most` bytes, and returns how many; 0 only at the end, or if most is 0.
  virtual std::size_t read(char* to, std::size_t most) = 0;
};

/// The bytes of a file, or of standard input. The file is read, not mapped: if another program shortened a
/// mapped file, this one would be killed. Throws DataError, with `file` as its name.
class FileStream : public ByteStream {
 public:
  /// Opens the file of that name.
  explicit FileStream(const std::string& file);
  /// Standard input.
  struct StandardInput {};
  FileStream(StandardInput, const std::string& file);

  std::size_t read(char* to, std::size_t most) override;
  /// The size of a regular file as it was when it was opened; 0 for a pipe.
  std::size_t size() const noexcept { return size_; }

 private:
  void examine();

  std::string file_;
  UniqueFd own_;
  int fd_;
  std::size_t size_ = 0;
};

/// Bytes in memory, which must outlive the stream.
class MemoryStream : public ByteStream {
 public:
  explicit MemoryStream(std::string_view bytes) : bytes_(bytes) {}
  std::size_t read(char* to, std::size_t most) override {
    const std::size_t got = bytes_.copy(to, most);
    bytes_.remove_prefix(got);
    return got;
  }

 private:
  std::string_view bytes_;
};

}  // namespace tern
