#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "host/support/host_memory.hpp"
#include "tern/memory.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/temporary_directory.hpp"

namespace tern::test {
namespace {

/// The /proc and /sys of a machine, as files in a temporary directory.
class HostMemory : public testing::Test {
 protected:
  void SetUp() override {
    write("proc/meminfo",
          "MemTotal:       1000 kB\nMemFree:         100 kB\nMemAvailable:    600 kB\n");
  }

  void write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  void expect(std::int64_t free, std::int64_t total) {
    const MemoryInfo found = system_memory(root_);
    EXPECT_EQ(found.free, free);
    EXPECT_EQ(found.total, total);
  }

  const TemporaryDirectory directory_;
  const std::filesystem::path root_ = directory_.path();
};

TEST_F(HostMemory, IsWhatTheKernelCallsAvailable) {
  expect(600 * 1024, 1000 * 1024);
}

TEST_F(HostMemory, IsLimitedByTheGroup) {
  write("proc/self/cgroup", "0::/jobs/17\n");
  write("sys/fs/cgroup/jobs/17/memory.max", "500000\n");
  write("sys/fs/cgroup/jobs/17/memory.current", "200000\n");
  expect(300'000, 500'000);
  write("sys/fs/cgroup/jobs/17/memory.stat", "anon 120000\ninactive_file 50000\n");
  expect(350'000, 500'000);
  write("sys/fs/cgroup/jobs/17/memory.max", "max\n");
  expect(600 * 1024, 1000 * 1024);
}

TEST_F(HostMemory, IsLimitedByTheGroupsAbove) {
  write("proc/self/cgroup", "0::/jobs/17\n");
  write("sys/fs/cgroup/jobs/17/memory.max", "500000\n");
  write("sys/fs/cgroup/jobs/17/memory.current", "200000\n");
  write("sys/fs/cgroup/jobs/memory.max", "510000\n");
  write("sys/fs/cgroup/jobs/memory.current", "509000\n");
  expect(1000, 500'000);
  write("sys/fs/cgroup/jobs/memory.current", "600000\n");  // temporarily beyond the limit
  expect(0, 500'000);
}

TEST_F(HostMemory, IsLimitedInsideAContainerThatDoesNotSeeItsPath) {
  write("proc/self/cgroup", "12:pids:/docker/abc\n3:cpu,memory:/docker/abc\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "400000\n");
  write("sys/fs/cgroup/memory/memory.usage_in_bytes", "100000\n");
  write("sys/fs/cgroup/memory/memory.stat", "inactive_file 7\ntotal_inactive_file 1000\n");
  expect(301'000, 400'000);
}

TEST_F(HostMemory, IgnoresWhatItCannotRead) {
  write("proc/self/cgroup", "nonsense\n0:\n4:memoryless:/x\n0::/../..\n");
  write("sys/fs/cgroup/memory.max", "");
  expect(600 * 1024, 1000 * 1024);
}

TEST(ThisHost, HasMemoryThatEveryBackendOnItReports) {
  const MemoryInfo host = host_memory();
  EXPECT_GT(host.free, 1 << 20);
  EXPECT_GE(host.total, host.free);
  for (const BackendCase& backend : backends_under_test()) {
    const MemoryInfo found = backend.make()->memory();
    EXPECT_GT(found.free, 1 << 20) << backend.name;
    EXPECT_GE(found.total, found.free) << backend.name;
  }
}

TEST(ThisHost, CountsTheLimitOfTheAddressSpace) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
  std::int64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const std::int64_t used = pages * sysconf(_SC_PAGESIZE);
  const std::int64_t most = used + (64 << 20);
  rlimit low = before;
  low.rlim_cur = static_cast<rlim_t>(most);
  if (before.rlim_max != RLIM_INFINITY && before.rlim_max < low.rlim_cur) {
    GTEST_SKIP() << "the limit of the address space is lower already";
  }
  ASSERT_EQ(setrlimit(RLIMIT_AS, &low), 0);
  const MemoryInfo found = host_memory();
  ASSERT_EQ(setrlimit(RLIMIT_AS, &before), 0);
  EXPECT_LE(found.free, 65 << 20);  // the process may have returned some pages in between
  EXPECT_LE(found.total, most);
}

}  // namespace
}  // namespace tern::test
