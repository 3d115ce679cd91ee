#include "host/support/host_memory.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>

#include "host/support/control_groups.hpp"
#include "tern/memory.hpp"

namespace tern {
namespace {

constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();

void limit(MemoryInfo& memory, std::int64_t free, std::int64_t total) {
  memory.free = std::min(memory.free, std::max<std::int64_t>(0, free));
  memory.total = std::min(memory.total, total);
}

/// The number that a file holds; nothing if it holds none, but for example "max".
std::optional<std::int64_t> number_in(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::int64_t value = 0;
  if (in >> value) return value;
  return std::nullopt;
}

/// The number after a name that begins a line, as in /proc/meminfo and memory.stat.
std::optional<std::int64_t> number_after(const std::filesystem::path& file, std::string_view name) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string word;
    std::int64_t value = 0;
    if (words >> word && word == name && words >> value) return value;
  }
  return std::nullopt;
}

/// The files that describe a control group's memory, by the version of control groups.
struct GroupFiles {
  const char* limit;
  const char* usage;
  const char* reclaimable;  // in memory.stat
};
constexpr GroupFiles kVersion1{"memory.limit_in_bytes", "memory.usage_in_bytes",
                               "total_inactive_file"};
constexpr GroupFiles kVersion2{"memory.max", "memory.current", "inactive_file"};

/// Applies the limits of one group.
void limit_by_group(MemoryInfo& memory, const ControlGroup& group) {
  const GroupFiles& files = group.version == 1 ? kVersion1 : kVersion2;
  const std::optional<std::int64_t> most = number_in(group.folder / files.limit);
  const std::optional<std::int64_t> used = number_in(group.folder / files.usage);
  if (!most || !used) return;
  const std::int64_t cache =
      number_after(group.folder / "memory.stat", files.reclaimable).value_or(0);
  limit(memory, *most - *used + std::min(cache, *used), *most);
}

void limit_by_rlimit(MemoryInfo& memory) {
  rlimit space{};
  if (getrlimit(RLIMIT_AS, &space) != 0 || space.rlim_cur == RLIM_INFINITY) return;
  const auto most =
      static_cast<std::int64_t>(std::min<rlim_t>(space.rlim_cur, static_cast<rlim_t>(kUnlimited)));
  const std::int64_t page = sysconf(_SC_PAGESIZE);
  limit(memory, most - number_in("/proc/self/statm").value_or(0) * page, most);
}

}  // namespace

MemoryInfo system_memory(const std::filesystem::path& root) {
  MemoryInfo memory{.free = kUnlimited, .total = kUnlimited};
  const std::filesystem::path meminfo = root / "proc/meminfo";
  constexpr std::int64_t kKilo = 1024;
  const auto available = number_after(meminfo, "MemAvailable:");
  const auto total = number_after(meminfo, "MemTotal:");
  if (available && total) limit(memory, *available * kKilo, *total * kKilo);

  for (const ControlGroup& group : control_groups(root, "memory")) limit_by_group(memory, group);
  return memory;
}

MemoryInfo host_memory() {
  MemoryInfo memory = system_memory("/");
  limit_by_rlimit(memory);
  return memory;
}

}  // namespace tern
