#pragma once

#include <filesystem>

#include "host/support/unique_fd.hpp"

namespace tern {

inline constexpr char kLockFile[] = ".tern.lock";

/// An exclusive lock on a run's directory, held while the object exists. The system releases it
/// when the process ends, however it ends. The file is never removed: otherwise two processes
/// could lock two files of the same name. On NFS the lock works between machines from version 4 on.
class RunLock {
 public:
  /// Throws Error, naming the owner, if another process holds the lock.
  explicit RunLock(const std::filesystem::path& directory);

  /// False on a file system without locks.
  bool held() const noexcept { return held_; }

 private:
  UniqueFd file_;
  bool held_ = false;
};

}  // namespace tern
