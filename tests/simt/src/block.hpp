// One block at a time on one CPU thread: starts its threads, parks them at barriers and warp
// meetings, wakes them, and reports why if none can continue.
//
// A thread runs on a fiber until it has to wait. Then the fiber switches directly to the next
// thread that can run: a woken one, or else a new one on its own fiber. A thread that returns
// leaves its fiber to the next thread. So threads that never wait run in a plain loop, without a
// switch.
#pragma once

#include <array>
#include <cstdint>
#include <exception>
#include <memory>
#include <source_location>
#include <string>
#include <vector>

#include "fiber.hpp"
#include "shared_watch.hpp"
#include "simt/device/barrier.hpp"
#include "simt/device/language.hpp"
#include "simt/device/vector_types.hpp"
#include "simt/device/warp.hpp"
#include "simt/simt.hpp"
#include "watch.hpp"

namespace simt::detail {

struct Job {
  dim3 grid;
  dim3 block;
  std::size_t shared_bytes = 0;
  Options options;
  Body body{};
};

/// A seeded order of 0..31, or of the next power of two above a count: i -> (i*multiplier + start).
struct Order {
  unsigned multiplier = 1;
  unsigned start = 0;
  unsigned mask = 31;
  unsigned operator()(unsigned i) const { return (i * multiplier + start) & mask; }
};

std::string mask_text(unsigned mask);
std::string to_text(uint3 v);
std::string to_text(const std::source_location& where);

class Block {
 public:
  Block();
  ~Block();
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  /// Runs block `number` of the job to its end. Throws Error, or what the kernel threw.
  void run(const Job& job, std::uint64_t number);

  /// The block whose thread is running on this CPU thread; throws std::logic_error if there is
  /// none.
  static Block& current() {
    if (!watched.block) fail_outside();
    return *watched.block;
  }
  static bool is_running();

  // Called by device code.
  int barrier(Barrier kind, int predicate, std::source_location where);
  std::uint64_t meet(WarpOperation operation, unsigned mask, std::uint64_t value, unsigned source,
                     std::source_location where);
  void pause();
  unsigned lane() const { return current_ % 32; }
  void shared_access(std::uintptr_t address, std::size_t bytes, Access kind, const void* code) {
    if (!watch_.access(current_, address, bytes, kind, code)) fail_shared_access(code);
  }
  /// Ends the launch with this fault of the running thread. Does not return.
  [[noreturn]] void fail(Fault fault, std::string text, const void* code = nullptr,
                         const void* other_code = nullptr);
  [[noreturn]] void fail_at(std::source_location where, Fault fault, std::string text);

 private:
  enum class State : std::uint8_t { unstarted, running, at_barrier, at_meeting, returned };
  struct Thread {
    uint3 index{};
    Fiber* fiber = nullptr;
    State state = State::unstarted;
  };
  /// Lanes of one warp that arrived with one mask and wait for its other lanes.
  struct Meeting {
    unsigned mask = 0;
    unsigned arrived = 0;
    WarpOperation operation{};
    std::source_location where;
  };
  struct Warp {
    unsigned live = 0;
    unsigned meetings = 0;  // open ones, at the front of the array
    std::array<Meeting, 32> open;
    std::array<std::uint64_t, 32> value;
    std::array<std::uint64_t, 32> result;
    std::array<unsigned, 32> source;
  };
  struct Failure {
    Fault fault{};
    unsigned thread = 0;
    std::string text;
    const void* code = nullptr;
    const void* other_code = nullptr;
  };

  [[noreturn]] static void fiber_main();
  void prepare(const Job& job, std::uint64_t number);
  void set_shape(dim3 block);
  void start_threads(Fiber& fiber);
  void finish_thread();
  void wait(State state);
  void go_on(Fiber& from);
  [[noreturn]] void end(Failure failure);
  [[noreturn]] void go_home();
  [[noreturn]] void stuck();
  [[noreturn]] static void fail_outside();
  [[noreturn]] void fail_two_places(std::source_location where);
  [[noreturn]] void fail_returned_threads();
  [[noreturn]] void fail_mask(unsigned mask, std::source_location where);
  [[noreturn]] void fail_two_operations(const Meeting& meeting, std::source_location where);
  [[noreturn]] void fail_source(unsigned thread, unsigned source, const Meeting& meeting);
  [[noreturn]] void fail_shared_access(const void* code);
  std::string describe_waiting() const;
  [[noreturn]] void raise();

  void release_barrier();
  void wake_lanes(unsigned warp, unsigned lanes);
  void close_meeting(unsigned warp, unsigned meeting);
  void exchange(unsigned warp, const Meeting& meeting);
  Order random_order(unsigned count);

  const Job* job_ = nullptr;
  uint3 block_index_{};
  uint3 shape_{};
  std::uint64_t random_ = 1;

  FiberPool fibers_;
  Fiber home_;
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  std::vector<unsigned> start_;   // thread numbers in the order in which they begin
  std::vector<unsigned> ready_;   // woken threads, the next at the back
  std::vector<unsigned> paused_;  // threads that yielded, the next in front
  std::size_t started_ = 0;
  unsigned current_ = 0;
  unsigned live_ = 0;

  unsigned at_barrier_ = 0;
  Barrier barrier_kind_{};
  std::source_location barrier_where_;
  int barrier_true_ = 0;    // threads that arrived with a true predicate
  int barrier_result_ = 0;  // of the last completed barrier

  SharedWatch watch_;
  std::unique_ptr<Failure> failure_;
  std::exception_ptr thrown_;
};

// These two are inline, so that a waiting thread leaves one frame, a few cache lines, on its stack.

inline void Block::go_on(Fiber& from) {
  if (!ready_.empty()) {
    const unsigned next = ready_.back();
    ready_.pop_back();
    switch_fiber(from, *threads_[next].fiber);
  } else if (started_ < start_.size()) {
    switch_fiber(from, fibers_.take());
  } else if (!paused_.empty()) {
    const unsigned next = paused_.front();
    paused_.erase(paused_.begin());
    if (threads_[next].fiber != &from) switch_fiber(from, *threads_[next].fiber);
  } else {
    stuck();
  }
}

// Parks the running thread; returns when another has woken it.
inline void Block::wait(State state) {
  const unsigned self = current_;
  threads_[self].state = state;
  go_on(*threads_[self].fiber);
  current_ = self;
  threads_[self].state = State::running;
  threadIdx = threads_[self].index;
}

}  // namespace simt::detail
