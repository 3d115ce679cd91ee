#pragma once

#include <filesystem>

#include "host/support/unique_fd.hpp"

namespace tern {

inline constexpr char kLockFile[] = ".tern.lock";

/// The right to write to a run's directory, for as long as it exists. The system gives it back when
/// a process ends, however it does; the file stays, since removing it would let two processes hold
/// locks on two files of one name. On NFS it holds between machines from version 4 on.
class RunLock {
 public:
  /// Throws Error, naming its owner, where another process has it.
  explicit RunLock(const std::filesystem::path& directory);

  /// Whether it is a right in earnest: false on a file system that has no locks.
  bool held() const noexcept { return held_; }

 private:
  UniqueFd file_;
  bool held_ = false;
};

}  // namespace tern
