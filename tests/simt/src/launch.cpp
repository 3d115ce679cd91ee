// Spreads a grid's blocks over CPU threads, and the device functions that need no block state.
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "block.hpp"

namespace simt::detail {
namespace {

// More would add stacks (two mappings each, of which Linux allows 65530) and little speed.
constexpr unsigned kMaxWorkers = 16;

/// CPU threads that wait for work between launches. They keep their stacks and shadows, because
/// most launches take less time than starting a thread. No launch depends on an earlier one.
class Workers {
 public:
  ~Workers() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  /// Runs task() on `count` CPU threads, the caller's among them; task must not throw.
  void run(unsigned count, const std::function<void()>& task) {
    const std::lock_guard one_launch(launch_);
    while (threads_.size() + 1 < count) threads_.emplace_back([this] { serve(); });
    {
      const std::lock_guard lock(mutex_);
      task_ = &task;
      wanted_ = running_ = count - 1;
    }
    if (count > 1) wake_.notify_all();
    task();
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return running_ == 0; });
  }

 private:
  void serve() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return stop_ || wanted_ > 0; });
      if (stop_) return;
      --wanted_;
      const std::function<void()>& task = *task_;
      lock.unlock();
      task();
      lock.lock();
      if (--running_ == 0) done_.notify_one();
    }
  }

  std::mutex launch_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  std::vector<std::thread> threads_;
  const std::function<void()>* task_ = nullptr;
  unsigned wanted_ = 0;
  unsigned running_ = 0;
  bool stop_ = false;
};

/// Blocks in a seeded order: number i is (start + i * step) modulo their count, step coprime to it.
class BlockOrder {
 public:
  BlockOrder(std::uint64_t count, std::uint64_t seed) : count_(count) {
    start_ = seed % count;
    step_ = count >> 32 ? 1 : (seed >> 16) % count | 1;  // so that no product overflows
    while (std::gcd(step_, count) != 1) ++step_;
  }
  std::uint64_t operator()(std::uint64_t i) const {
    return (start_ + i * (step_ % count_)) % count_;
  }

 private:
  std::uint64_t count_;
  std::uint64_t start_;
  std::uint64_t step_;
};

void check_shape(dim3 grid, dim3 block, std::size_t shared_bytes) {
  const auto refuse = [](const std::string& what) {
    throw Error(Fault::bad_launch, {}, {}, "no device takes this launch: " + what);
  };
  const std::uint64_t threads = std::uint64_t{block.x} * block.y * block.z;
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) refuse("an empty grid");
  if (grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535) refuse("too large a grid");
  if (threads == 0 || threads > 1024 || block.z > 64) {
    refuse("a block of " + std::to_string(threads) + " threads");
  }
  if (shared_bytes > kMaxSharedBytes) {
    refuse(std::to_string(shared_bytes) + " bytes of shared memory");
  }
}

Block& own_block() {
  thread_local Block block;
  return block;
}

}  // namespace

void launch(dim3 grid, dim3 block, std::size_t shared_bytes, const Options& options, Body body) {
  if (Block::is_running()) throw std::logic_error("simt: a kernel cannot launch a kernel");
  check_shape(grid, block, shared_bytes);
  const Job job{grid, block, shared_bytes, options, body};
  const std::uint64_t count = std::uint64_t{grid.x} * grid.y * grid.z;
  const BlockOrder order(count, options.seed * 0x9e3779b97f4a7c15u);
  std::atomic<std::uint64_t> next = 0;
  std::mutex mutex;
  std::exception_ptr first;
  const auto work = [&] {
    for (std::uint64_t i = 0; (i = next.fetch_add(1)) < count;) {
      try {
        own_block().run(job, order(i));
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!first) first = std::current_exception();
        next = count;
      }
    }
  };
  const unsigned wanted =
      options.workers ? options.workers : std::max(1u, std::thread::hardware_concurrency());
  static Workers workers;
  workers.run(static_cast<unsigned>(std::min<std::uint64_t>({wanted, count, kMaxWorkers})), work);
  if (first) std::rethrow_exception(first);
}

unsigned lane_for_width(int width, std::source_location where) {
  Block& block = Block::current();
  if (width < 1 || width > 32 || (width & (width - 1)) != 0) {
    block.fail_at(where, Fault::bad_mask, "a shuffle of width " + std::to_string(width));
  }
  return block.lane();
}

void fence() {
  std::atomic_thread_fence(std::memory_order_seq_cst);
}
void pause() {
  Block::current().pause();
}
void trap(std::source_location where) {
  Block::current().fail_at(where, Fault::trap, "the kernel called __trap()");
}

}  // namespace simt::detail

unsigned __activemask() {
  return 1u << simt::detail::Block::current().lane();
}
