#include "host/support/processors.hpp"

#include <gtest/gtest.h>
#include <sched.h>

#include <fstream>

#include "tests/support/temporary_directory.hpp"

namespace tern::test {
namespace {

class Processors : public testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) {
    const std::filesystem::path file = directory_.path() / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  ThreadCount count(int processors, int allowed) const {
    return count_threads(processors, allowed, directory_.path());
  }

  TemporaryDirectory directory_;
};

TEST_F(Processors, AreOneThreadEach) {
  EXPECT_EQ(count(64, 64).threads, 64);
  EXPECT_EQ(count(64, 64).reason, "one for each processor");
  EXPECT_EQ(count(64, 0).threads, 64) << "affinity is not known";
  EXPECT_EQ(count(0, 0).threads, 1);
}

TEST_F(Processors, AreLimitedByAffinity) {
  EXPECT_EQ(count(64, 3).threads, 3);
  EXPECT_EQ(count(64, 3).reason,
            "of 64 processors: this process may not run on the others (affinity)");
}

TEST_F(Processors, AreLimitedByAQuotaOfVersion2) {
  write("proc/self/cgroup", "0::/jobs/7\n");
  write("sys/fs/cgroup/jobs/7/cpu.max", "200000 100000\n");
  EXPECT_EQ(count(64, 64).threads, 2);
  EXPECT_EQ(count(64, 64).reason, "of 64 processors: control group /jobs/7 has a CPU quota of 2");
  EXPECT_EQ(count(64, 1).threads, 1) << "affinity is less";

  write("sys/fs/cgroup/jobs/7/cpu.max", "150000 100000\n");
  EXPECT_EQ(count(64, 64).threads, 2) << "rounded up";
  EXPECT_EQ(count(64, 64).reason, "of 64 processors: control group /jobs/7 has a CPU quota of 1.5");

  write("sys/fs/cgroup/jobs/7/cpu.max", "50000 100000\n");
  EXPECT_EQ(count(64, 64).threads, 1) << "at least one";

  write("sys/fs/cgroup/jobs/7/cpu.max", "max 100000\n");
  EXPECT_EQ(count(64, 64).threads, 64);

  write("sys/fs/cgroup/jobs/cpu.max", "400000 100000\n");
  EXPECT_EQ(count(64, 64).threads, 4) << "the group above";

  write("sys/fs/cgroup/jobs/cpu.max", "nonsense\n");
  EXPECT_EQ(count(64, 64).threads, 64);
}

TEST_F(Processors, AreLimitedByAQuotaOfVersion1) {
  write("proc/self/cgroup", "4:memory:/m\n3:cpu,cpuacct:/docker/abc\n1:name=systemd:/\n0::/\n");
  write("sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us", "250000\n");
  write("sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(count(64, 64).threads, 3);
  EXPECT_EQ(count(64, 64).reason,
            "of 64 processors: control group /docker/abc has a CPU quota of 2.5");

  write("sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(count(64, 64).threads, 64);
}

TEST_F(Processors, InsideAContainerTheRootHoldsTheLimit) {
  write("proc/self/cgroup", "0::/system.slice/docker-abc.scope\n");
  write("sys/fs/cgroup/cpu.max", "300000 100000\n");
  EXPECT_EQ(count(64, 64).threads, 3);
}

TEST(DefaultThreadCount, FollowsTheAffinityOfThisProcess) {
  cpu_set_t allowed;
  ASSERT_EQ(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
  EXPECT_GE(default_thread_count().threads, 1);
  EXPECT_LE(default_thread_count().threads, CPU_COUNT(&allowed));
}

}  // namespace
}  // namespace tern::test
