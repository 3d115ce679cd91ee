#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace tern {

/// A reference to a callable as void(index, slot). The callable must outlive it.
class TaskRef {
 public:
  template <class Body>
  explicit TaskRef(const Body& body)
      : body_(&body), call_([](const void* object, std::int64_t index, int slot) {
          (*static_cast<const Body*>(object))(index, slot);
        }) {}
  void operator()(std::int64_t index, int slot) const { call_(body_, index, slot); }

 private:
  const void* body_;
  void (*call_)(const void*, std::int64_t, int);
};

/// Threads that run the iterations of a loop together with the thread that calls run().
///
/// On a busy machine a worker may not be running when a loop begins. Nobody waits for it: an iteration
/// is taken by whichever thread is ready, so the caller finishes a loop alone if no worker comes. The
/// caller waits only for iterations that a worker has begun. Between loops, workers look for work for
/// some microseconds, then sleep.
class ThreadPool {
 public:
  /// threads: with the calling thread, at least 1. Workers start with the first loop.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return threads_; }

  /// Calls task(index, slot) once for every index in [0, count), and returns when all calls have
  /// returned. slot: in [0, threads()); calls with the same slot never overlap. Which thread takes an
  /// index depends on timing, so a result may depend on the index alone. If calls throw, rethrows the
  /// exception of the smallest index; calls of greater indices may then be left out. A loop within a loop,
  /// and a loop that another thread starts meanwhile, run on the calling thread alone, as slot 0.
  void run(std::int64_t count, TaskRef task);

 private:
  /// Iterations that belong to one slot. Numbers of iterations go on from loop to loop and are never
  /// used twice: [next, end) are those of the loop that runs, none between loops.
  struct alignas(64) Share {
    std::atomic<std::uint64_t> next = 0;
    std::atomic<std::uint64_t> end = 0;
    /// Index of the loop = number - offset. Written between loops.
    std::uint64_t offset = 0;
  };

  void start();
  void serve(int slot);
  void take_all(int slot);
  void call(std::int64_t index, int slot);
  void publish(std::int64_t count);
  void wait();

  int threads_;
  int spin_rounds_;
  std::unique_ptr<Share[]> shares_;
  std::unique_ptr<std::vector<std::thread>> workers_;  // none before the first loop
  int process_ = 0;                                    // in which they run

  std::atomic<bool> busy_ = false;  // a loop runs
  const TaskRef* task_ = nullptr;
  std::atomic<std::int64_t> failed_ = 0;  // smallest index that threw
  std::mutex error_mutex_;
  std::exception_ptr error_;

  alignas(64) std::atomic<std::int64_t> unfinished_ = 0;  // iterations of the loop that runs
  std::atomic<std::int32_t> finished_loops_ = 0;          // a sleeping caller waits for its change
  alignas(64) std::atomic<std::int32_t> loops_ = 0;       // sleeping workers wait for its change
  std::atomic<std::int32_t> sleepers_ = 0;
  std::atomic<bool> caller_sleeps_ = false;
  std::atomic<bool> stops_ = false;
};

}  // namespace tern
