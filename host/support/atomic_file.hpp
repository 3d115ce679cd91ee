#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "host/support/unique_fd.hpp"

namespace tern {

/// A file that appears whole or not at all. It is written under a temporary name beside its place,
/// fsynced and renamed, and the directory is fsynced. Without commit(), the old file stays unchanged.
/// All functions throw Error with the path and the system's reason.
class AtomicFile {
 public:
  /// Also throws if path is not a regular file: a file must not replace a device or a pipe.
  explicit AtomicFile(const std::filesystem::path& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, std::size_t bytes);
  void write(std::string_view bytes) { write(bytes.data(), bytes.size()); }
  void commit();

 private:
  [[noreturn]] void fail(std::string_view what, int error) const;

  std::filesystem::path path_;  // where the file goes, symbolic links followed
  std::string beside_;          // the temporary name; empty after the rename
  UniqueFd fd_;
};

/// Whether a name is a temporary one of AtomicFile: "NAME.0123abcd.tmp". A process that is killed
/// while it writes leaves such a file behind.
bool is_temporary_name(std::string_view name);

}  // namespace tern
