#include "host/support/processors.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "host/support/control_groups.hpp"

namespace tern {
namespace {

/// The processors' worth of time that the group may use; nothing if it has no limit.
std::optional<double> cpu_quota(const ControlGroup& group) {
  double quota = 0.0;
  double period = 0.0;
  if (group.version == 1) {
    std::ifstream quota_file(group.folder / "cpu.cfs_quota_us");
    std::ifstream period_file(group.folder / "cpu.cfs_period_us");
    if (!(quota_file >> quota) || !(period_file >> period)) return std::nullopt;
  } else {
    std::ifstream file(group.folder / "cpu.max");  // "max 100000" without a limit
    if (!(file >> quota >> period)) return std::nullopt;
  }
  if (quota <= 0.0 || period <= 0.0) return std::nullopt;  // version 1 says -1 without a limit
  return quota / period;
}

/// The processors that this process may run on; 0 if the system does not say.
int allowed_processors() {
  // 1,024 processors fit a cpu_set_t; larger machines need a larger set.
  for (int size = 1024; size <= 1 << 20; size *= 4) {
    cpu_set_t* set = CPU_ALLOC(size);
    if (set == nullptr) return 0;
    const std::size_t bytes = CPU_ALLOC_SIZE(size);
    const bool known = sched_getaffinity(0, bytes, set) == 0;
    const int count = known ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (known) return count;
  }
  return 0;
}

}  // namespace

ThreadCount count_threads(int processors, int allowed, const std::filesystem::path& root) {
  ThreadCount count{std::max(1, processors), "one for each processor"};
  const auto limit = [&](int threads, const std::string& reason) {
    if (threads >= count.threads) return;
    count.threads = std::max(1, threads);
    count.reason = fmt::format("of {} processors: {}", processors, reason);
  };
  if (allowed > 0) limit(allowed, "this process may not run on the others (affinity)");
  for (const ControlGroup& group : control_groups(root, "cpu")) {
    if (const std::optional<double> quota = cpu_quota(group)) {
      limit(static_cast<int>(std::min(std::ceil(*quota), 1e6)),
            fmt::format("control group {} has a CPU quota of {:.3g}", group.name, *quota));
    }
  }
  return count;
}

const ThreadCount& default_thread_count() {
  static const ThreadCount count =
      count_threads(static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)), allowed_processors(), "/");
  return count;
}

}  // namespace tern
