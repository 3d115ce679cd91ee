#include "host/support/thread_pool.hpp"

#include <fmt/format.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "host/support/processors.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

/// How often a thread without work looks for some before it sleeps: about 30 µs. Going to sleep and
/// waking up take 10 to 50 µs, and the next loop of a training step mostly begins sooner.
constexpr int kSpinRounds = 600;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// std::atomic::wait calls sched_yield before it sleeps, which costs a whole time slice if other
// processes want the processor.

/// Sleeps until wake() if the word still has the value `seen`; may also return for no reason.
void sleep_while(const std::atomic<std::int32_t>& word, std::int32_t seen) {
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, seen, nullptr, nullptr, 0);
}

void wake(const std::atomic<std::int32_t>& word, std::int64_t threads) {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, threads, nullptr, nullptr, 0);
}

}  // namespace

ThreadPool::ThreadPool(int threads)
    : threads_(threads),
      // With more threads than processors, one that looks for work keeps another from doing it.
      spin_rounds_(threads <= default_thread_count().threads ? kSpinRounds : 0),
      shares_(std::make_unique<Share[]>(static_cast<std::size_t>(threads))) {}

ThreadPool::~ThreadPool() {
  if (!workers_) return;
  stops_ = true;
  loops_.fetch_add(1);
  wake(loops_, threads_);
  if (process_ == getpid()) {
    for (std::thread& worker : *workers_) worker.join();
  } else {
    static_cast<void>(workers_.release());  // a forked process has no workers that could end
  }
}

void ThreadPool::start() {
  process_ = getpid();
  workers_ = std::make_unique<std::vector<std::thread>>();
  workers_->reserve(static_cast<std::size_t>(threads_ - 1));
  for (int slot = 1; slot < threads_; ++slot) {
    try {
      workers_->emplace_back([this, slot] { serve(slot); });
    } catch (const std::system_error& error) {
      throw MemoryError(fmt::format("cannot start thread {} of {}: {}", slot + 1, threads_,
                                    error.code().message()));
    }
  }
}

void ThreadPool::run(std::int64_t count, TaskRef task) {
  if (count <= 1 || threads_ == 1 || busy_.exchange(true, std::memory_order_acquire)) {
    for (std::int64_t i = 0; i < count; ++i) task(i, 0);
    return;
  }
  const auto free = [](std::atomic<bool>* busy) { busy->store(false, std::memory_order_release); };
  const std::unique_ptr<std::atomic<bool>, decltype(free)> holds(&busy_, free);
  if (!workers_) start();
  task_ = &task;
  failed_.store(count, std::memory_order_relaxed);
  publish(count);
  take_all(0);
  wait();
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

/// Each slot gets a contiguous share of the indices, the same in every loop of this size, so that a
/// thread mostly finds in its core's cache what it wrote there in the loop before.
void ThreadPool::publish(std::int64_t count) {
  unfinished_.store(count, std::memory_order_relaxed);
  for (int slot = 0; slot < threads_; ++slot) {
    Share& share = shares_[slot];
    const std::int64_t begin = count * slot / threads_;
    const std::int64_t size = count * (slot + 1) / threads_ - begin;
    const std::uint64_t first = share.end.load(std::memory_order_relaxed);
    share.offset = first - static_cast<std::uint64_t>(begin);
    // Whoever sees this also sees the task and everything before.
    share.end.store(first + static_cast<std::uint64_t>(size), std::memory_order_release);
  }
  loops_.fetch_add(1);
  if (sleepers_.load() > 0) wake(loops_, std::min<std::int64_t>(count, threads_) - 1);
}

void ThreadPool::wait() {
  for (int round = 0; round < spin_rounds_; ++round) {
    if (unfinished_.load(std::memory_order_acquire) == 0) return;
    pause();
  }
  caller_sleeps_ = true;
  for (;;) {
    const std::int32_t seen = finished_loops_.load();
    if (unfinished_.load(std::memory_order_acquire) == 0) break;
    sleep_while(finished_loops_, seen);
  }
  caller_sleeps_ = false;
}

/// Takes iterations, first of its own share, then of the others, until all are taken.
void ThreadPool::take_all(int slot) {
  for (int other = 0; other < threads_; ++other) {
    Share& share = shares_[(slot + other) % threads_];
    std::uint64_t number = share.next.load(std::memory_order_relaxed);
    // `end` is loaded before the exchange. So a number that is taken belongs to the loop that `end` was
    // published for, and that loop, its task and its offset stay until the iteration is finished.
    while (number < share.end.load(std::memory_order_acquire)) {
      if (!share.next.compare_exchange_weak(number, number + 1, std::memory_order_relaxed))
        continue;
      call(static_cast<std::int64_t>(number - share.offset), slot);
      number = share.next.load(std::memory_order_relaxed);
    }
  }
}

void ThreadPool::call(std::int64_t index, int slot) {
  if (index <= failed_.load(std::memory_order_relaxed)) {
    try {
      (*task_)(index, slot);
    } catch (...) {
      const std::lock_guard lock(error_mutex_);
      if (index < failed_.load(std::memory_order_relaxed)) {
        failed_.store(index, std::memory_order_relaxed);
        error_ = std::current_exception();
      }
    }
  }
  // The caller may return from run() as soon as it sees 0: nothing of the loop is touched afterwards.
  // Only a release: iterations must not seem ordered to ThreadSanitizer.
  if (unfinished_.fetch_sub(1, std::memory_order_release) == 1) {
    finished_loops_.fetch_add(1);
    if (caller_sleeps_) wake(finished_loops_, 1);
  }
}

void ThreadPool::serve(int slot) {
  while (!stops_) {
    // Loaded before the work is taken: a loop that begins later changes it.
    const std::int32_t seen = loops_.load();
    take_all(slot);
    for (int round = 0; round < spin_rounds_ && loops_.load() == seen; ++round) pause();
    if (loops_.load() != seen) continue;
    sleepers_.fetch_add(1);
    sleep_while(loops_, seen);
    sleepers_.fetch_sub(1);
  }
}

}  // namespace tern
