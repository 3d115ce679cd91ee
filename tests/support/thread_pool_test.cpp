#include "host/support/thread_pool.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <bit>
#include <chrono>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

#include "host/support/parallel.hpp"

namespace tern::test {
namespace {

/// How often each index was called.
std::vector<int> calls(ThreadPool& pool, std::int64_t count) {
  std::vector<std::atomic<int>> seen(static_cast<std::size_t>(count));
  parallel_for(pool, count, [&](std::int64_t i) { ++seen[static_cast<std::size_t>(i)]; });
  return {seen.begin(), seen.end()};
}

TEST(ThreadPool, CallsEveryIndexOnce) {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (const std::int64_t count : {0, 1, 2, 3, 7, 8, 9, 1000, 100'000}) {
      EXPECT_EQ(calls(pool, count), std::vector<int>(static_cast<std::size_t>(count), 1))
          << threads << " threads, " << count << " iterations";
    }
  }
}

TEST(ThreadPool, RunsManyShortLoopsOneAfterTheOther) {
  ThreadPool pool(7);
  std::int64_t expected = 0;
  std::atomic<std::int64_t> sum = 0;
  for (std::int64_t loop = 0; loop < 20'000; ++loop) {
    const std::int64_t count = loop % 23;
    parallel_for(pool, count, [&](std::int64_t i) { sum += i; });
    expected += count * (count - 1) / 2;
    ASSERT_EQ(sum, expected) << loop;
  }
}

/// Holds every thread back until two slots take part.
class AtLeastTwoSlots {
 public:
  void enter(int slot) {
    came_ |= 1 << slot;
    while (std::popcount(static_cast<unsigned>(came_.load())) < 2) std::this_thread::yield();
  }

 private:
  std::atomic<int> came_ = 0;
};

TEST(ThreadPool, GivesASlotToOneCallAtATime) {
  ThreadPool pool(4);
  std::vector<std::atomic<int>> inside(4);
  std::atomic<int> overlaps = 0;
  AtLeastTwoSlots meeting;
  parallel_for_slots(pool, 50'000, [&](std::int64_t, int slot) {
    ASSERT_TRUE(slot >= 0 && slot < 4);
    meeting.enter(slot);
    if (inside[static_cast<std::size_t>(slot)]++ != 0) ++overlaps;
    --inside[static_cast<std::size_t>(slot)];
  });
  EXPECT_EQ(overlaps, 0);
}

TEST(ThreadPool, TakesOverTheShareOfAThreadThatIsHeldUp) {
  ThreadPool pool(2);
  std::atomic<int> others = 0;
  parallel_for(pool, 100, [&](std::int64_t i) {
    if (i != 0) {
      ++others;
      return;
    }
    // The first iteration ends only after all others, also those of the same share.
    while (others < 99) std::this_thread::yield();
  });
  EXPECT_EQ(others, 99);
}

TEST(ForkedThreadPool, FinishesWithoutWorkers) {
  ThreadPool pool(3);
  ASSERT_EQ(calls(pool, 10), std::vector<int>(10, 1));  // the workers have started
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    // No thread but this one exists in the child.
    const std::vector<int> once(1000, 1);
    bool right = calls(pool, 1000) == once;
    ThreadPool own(2);
    right = right && calls(own, 1000) == once;
    _exit(right ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST(ForkedThreadPool, EndsWithoutWorkers) {
  auto pool = std::make_unique<ThreadPool>(3);
  ASSERT_EQ(calls(*pool, 10), std::vector<int>(10, 1));
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    pool.reset();
    _exit(0);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

/// Runs body(index, slot) for two indices, at the same time in two threads.
template <typename Body>
void run_two(ThreadPool& pool, const Body& body) {
  std::atomic<int> inside = 0;
  parallel_for_slots(pool, 2, [&](std::int64_t i, int slot) {
    ++inside;
    while (inside < 2) std::this_thread::yield();
    body(i, slot);
  });
}

// Longer than a thread looks for work before it sleeps.
constexpr std::chrono::milliseconds kLong{30};

TEST(ThreadPool, WakesWorkersThatSleep) {
  ThreadPool pool(2);
  for (int loop = 0; loop < 3; ++loop) {
    std::atomic<int> calls = 0;
    run_two(pool, [&](std::int64_t, int) { ++calls; });  // needs the worker
    EXPECT_EQ(calls, 2);
    std::this_thread::sleep_for(kLong);
  }
}

TEST(ThreadPool, WakesACallerThatSleeps) {
  ThreadPool pool(2);
  for (int loop = 0; loop < 3; ++loop) {
    std::atomic<int> late = 0;
    run_two(pool, [&](std::int64_t, int slot) {
      if (slot == 0) return;
      std::this_thread::sleep_for(kLong);
      ++late;
    });
    EXPECT_EQ(late, 1);
  }
}

TEST(ThreadPool, ThrowsTheErrorOfTheSmallestIndexWhicheverComesFirst) {
  ThreadPool pool(2);
  for (const std::int64_t first : {0, 1}) {
    for (int repeat = 0; repeat < 100; ++repeat) {
      std::atomic<bool> thrown = false;
      try {
        run_two(pool, [&](std::int64_t i, int) {
          while (i != first && !thrown) std::this_thread::yield();
          thrown = true;
          throw std::runtime_error(std::to_string(i));
        });
        FAIL() << "nothing was thrown";
      } catch (const std::runtime_error& error) {
        ASSERT_STREQ(error.what(), "0") << first;
      }
    }
  }
}

TEST(ThreadPool, ThrowsTheErrorOfTheSmallestIndex) {
  ThreadPool pool(3);
  for (int repeat = 0; repeat < 50; ++repeat) {
    try {
      parallel_for(pool, 1000, [](std::int64_t i) {
        if (i % 100 == 37) throw std::runtime_error(std::to_string(i));
      });
      FAIL() << "nothing was thrown";
    } catch (const std::runtime_error& error) {
      ASSERT_STREQ(error.what(), "37");
    }
    ASSERT_EQ(calls(pool, 100), std::vector<int>(100, 1)) << "after an error";
  }
}

TEST(ThreadPool, RunsALoopWithinALoop) {
  ThreadPool pool(3);
  std::atomic<int> sum = 0;
  parallel_for(pool, 10,
               [&](std::int64_t) { parallel_for(pool, 10, [&](std::int64_t) { ++sum; }); });
  EXPECT_EQ(sum, 100);
}

TEST(ThreadPool, ServesSeveralThreads) {
  ThreadPool pool(2);
  std::vector<std::int64_t> sums(4, 0);
  std::vector<std::thread> users;
  for (std::int64_t& sum : sums) {
    users.emplace_back([&pool, &sum] {
      for (int loop = 0; loop < 500; ++loop) {
        const std::vector<int> seen = calls(pool, 50);
        sum += std::accumulate(seen.begin(), seen.end(), 0);
      }
    });
  }
  for (std::thread& user : users) user.join();
  EXPECT_EQ(sums, std::vector<std::int64_t>(4, 500 * 50));
}

TEST(ThreadLimit, SetsTheThreadsOfTheSharedPool) {
  const int before = shared_pool().threads();
  {
    const ThreadLimit outer(5);
    EXPECT_EQ(shared_pool().threads(), 5);
    {
      const ThreadLimit inner(1);
      EXPECT_EQ(shared_pool().threads(), 1);
    }
    EXPECT_EQ(shared_pool().threads(), 5);
    std::thread([] { EXPECT_EQ(shared_pool().threads(), 5); }).join();
  }
  EXPECT_EQ(shared_pool().threads(), before);
}

TEST(ThreadLimit, IsNoneForNoNumber) {
  EXPECT_EQ(limit_threads(0), nullptr);
  const auto limit = limit_threads(3);
  EXPECT_EQ(shared_pool().threads(), 3);
}

TEST(ParallelFor, MakesOneScratchObjectForEachSlot) {
  ThreadPool pool(3);
  std::atomic<int> made = 0;
  std::vector<int> counts(1000, 0);
  const auto make = [&made] { return made++; };
  parallel_for_with(pool, 1000, make, [&](std::int64_t i, int& scratch) {
    while (made < 2) std::this_thread::yield();  // a second thread takes part
    counts[static_cast<std::size_t>(i)] = scratch + 1;
  });
  EXPECT_GE(made, 2);
  EXPECT_LE(made, 3);
  for (const int count : counts) EXPECT_TRUE(count >= 1 && count <= 3);
}

TEST(ParallelFor, CoversEveryRange) {
  ThreadPool pool(3);
  for (const std::int64_t count : {0, 1, 99, 100, 101, 1000}) {
    std::vector<int> seen(static_cast<std::size_t>(count), 0);
    parallel_for_ranges(pool, count, 100, [&](std::int64_t begin, std::int64_t end) {
      EXPECT_LE(end - begin, 100);
      for (std::int64_t i = begin; i < end; ++i) ++seen[static_cast<std::size_t>(i)];
    });
    EXPECT_EQ(seen, std::vector<int>(static_cast<std::size_t>(count), 1)) << count;
  }
}

}  // namespace
}  // namespace tern::test
