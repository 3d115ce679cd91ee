#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace tern {

/// A number of threads and what limits it.
struct ThreadCount {
  int threads = 1;
  /// As "of 64 processors: control group /jobs/7 has a CPU quota of 4".
  std::string reason;
};

/// The number of threads that use the processors without competing for them: the smallest of the machine's
/// processors, those that this process may run on (taskset, cpuset), and the CPU quota of its control groups
/// (version 1 and 2, rounded up), at least 1. Read once; later calls return the same.
const ThreadCount& default_thread_count();

/// The same from processors, allowed processors, and /proc and /sys under `root`.
ThreadCount count_threads(int processors, int allowed, const std::filesystem::path& root);

}  // namespace tern
