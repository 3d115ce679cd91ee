#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "host/support/unique_fd.hpp"

namespace tern {

/// A file that appears whole or not at all: written beside its place, fsynced, renamed, and the
/// directory fsynced. Destroyed without commit(), it leaves the old file unchanged and nothing
/// else. All throw Error with the path and the system's reason.
class AtomicFile {
 public:
  /// Also throws if the name belongs to something that is not a regular file: a device or a pipe
  /// must not be replaced by a file.
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
  std::string beside_;          // empty once it is in its place
  UniqueFd fd_;
};

/// Whether a name is that of an unfinished AtomicFile: "NAME.0123abcd.tmp". A process that is
/// killed while it writes leaves such a file behind.
bool is_temporary_name(std::string_view name);

}  // namespace tern
