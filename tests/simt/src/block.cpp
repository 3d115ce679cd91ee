#include "block.hpp"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "simt/device/language.hpp"
#include "watch.hpp"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

alignas(1024) thread_local unsigned char dynamic_shared_memory[simt::kMaxSharedBytes];

namespace simt::detail {

constinit thread_local WatchedMemory watched{};

namespace {

std::uint64_t mix(std::uint64_t x) {  // splitmix64
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

bool same_place(const std::source_location& a, const std::source_location& b) {
  return a.line() == b.line() && a.column() == b.column() &&
         (a.file_name() == b.file_name() || std::strcmp(a.file_name(), b.file_name()) == 0);
}

// Tells AddressSanitizer the size of this launch's dynamic shared memory.
void fence_shared_memory([[maybe_unused]] std::size_t bytes) {
#ifdef __SANITIZE_ADDRESS__
  constinit thread_local static std::size_t usable = kMaxSharedBytes;
  if (bytes == usable) return;
  __asan_unpoison_memory_region(dynamic_shared_memory, bytes);
  __asan_poison_memory_region(dynamic_shared_memory + bytes, kMaxSharedBytes - bytes);
  usable = bytes;
#endif
}

}  // namespace

Block::Block() : fibers_(&Block::fiber_main) {}

Block::~Block() {
  fence_shared_memory(kMaxSharedBytes);
}

bool Block::is_running() {
  return watched.block != nullptr;
}

void Block::fail_outside() {
  throw std::logic_error("simt: device code was called outside a launch");
}

// An odd multiplier and any start make i -> i*m+s a permutation modulo any power of two.
Order Block::random_order(unsigned count) {
  random_ = random_ * 6364136223846793005u + 1442695040888963407u;
  const auto bits = static_cast<unsigned>(random_ >> 33);
  return {(bits >> 10) | 1u, bits, std::bit_ceil(count) - 1};
}

void Block::set_shape(dim3 block) {
  if (shape_.x == block.x && shape_.y == block.y && shape_.z == block.z) return;
  shape_ = block;
  threads_.resize(std::size_t{block.x} * block.y * block.z);
  std::size_t i = 0;
  for (unsigned z = 0; z < block.z; ++z) {
    for (unsigned y = 0; y < block.y; ++y) {
      for (unsigned x = 0; x < block.x; ++x) threads_[i++].index = {x, y, z};
    }
  }
  warps_.resize((threads_.size() + 31) / 32);
  start_.resize(threads_.size());
  ready_.reserve(threads_.size());
}

void Block::prepare(const Job& job, std::uint64_t number) {
  job_ = &job;
  random_ = mix(mix(job.options.seed) ^ number);
  block_index_ = {static_cast<unsigned>(number % job.grid.x),
                  static_cast<unsigned>(number / job.grid.x % job.grid.y),
                  static_cast<unsigned>(number / job.grid.x / job.grid.y)};
  set_shape(job.block);
  const auto count = static_cast<unsigned>(threads_.size());
  const auto warps = static_cast<unsigned>(warps_.size());
  const Order warp_order = random_order(warps);
  std::size_t place = 0;
  for (unsigned i = 0; i <= warp_order.mask; ++i) {
    const unsigned warp = warp_order(i);
    if (warp >= warps) continue;
    const Order lane_order = random_order(32);
    for (unsigned j = 0; j < 32; ++j) {
      const unsigned thread = warp * 32 + lane_order(j);
      if (thread < count) start_[place++] = thread;
    }
    const unsigned lanes = std::min(32u, count - warp * 32);
    warps_[warp].live = lanes == 32 ? ~0u : (1u << lanes) - 1;
    warps_[warp].meetings = 0;
  }
  for (Thread& thread : threads_) thread.state = State::unstarted;
  ready_.clear();
  paused_.clear();
  started_ = 0;
  live_ = count;
  at_barrier_ = 0;
  blockIdx = block_index_;
  blockDim = job.block;
  gridDim = job.grid;
  watch_.begin_block(count, job.shared_bytes);
  fence_shared_memory(job.shared_bytes);
  // For builds without the watch: unwritten memory is NaN.
  std::memset(dynamic_shared_memory, 0xff, job.shared_bytes);
}

void Block::run(const Job& job, std::uint64_t number) {
  prepare(job, number);
  watched = {{watch_.low(), watch_.size()}, buffer_window(), this};
  switch_fiber(home_, fibers_.take());
  watched = {};
  if (!failure_ && !thrown_) return;
  fibers_.reset();
  if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
  raise();
}

// The body of every fiber. start_threads returns when the fiber has no more to do in this block;
// the loop continues when the fiber is taken for another block.
void Block::fiber_main() {
  Block& block = *watched.block;
  Fiber& fiber = block.fibers_.last_taken();
  for (;;) {
    block.start_threads(fiber);
    block.fibers_.put(fiber);
    if (block.ready_.empty() && block.live_ == 0) {
      switch_fiber(fiber, block.home_);
    } else {
      block.go_on(fiber);
    }
  }
}

void Block::start_threads(Fiber& fiber) {
  while (ready_.empty() && started_ < start_.size()) {
    current_ = start_[started_++];
    Thread& thread = threads_[current_];
    thread.state = State::running;
    thread.fiber = &fiber;
    threadIdx = thread.index;
    std::exception_ptr thrown;
    try {
      job_->body.call(job_->body.object);
    } catch (...) {
      thrown = std::current_exception();
    }
    if (thrown) {
      thrown_ = thrown;
      thrown = nullptr;
      go_home();
    }
    finish_thread();
  }
}

void Block::finish_thread() {
  const unsigned warp = current_ / 32;
  threads_[current_].state = State::returned;
  warps_[warp].live &= ~(1u << current_ % 32);
  --live_;
  if (at_barrier_ > 0 && at_barrier_ == live_) release_barrier();
  for (unsigned i = warps_[warp].meetings; i-- > 0;) {
    const Meeting& meeting = warps_[warp].open[i];
    if ((meeting.mask & warps_[warp].live) != meeting.arrived) continue;
    const unsigned arrived = meeting.arrived;
    close_meeting(warp, i);
    wake_lanes(warp, arrived);
  }
}

void Block::go_home() {
  switch_fiber(*threads_[current_].fiber, home_);
  std::abort();  // the fiber is reset before it runs again
}

// The running thread is awake, and continues first.
void Block::wake_lanes(unsigned warp, unsigned lanes) {
  const Order order = random_order(32);
  if (warp == current_ / 32) lanes &= ~(1u << current_ % 32);
  for (unsigned i = 0; i < 32; ++i) {
    const unsigned lane = order(i);
    if (lanes >> lane & 1) ready_.push_back(warp * 32 + lane);
  }
}

void Block::pause() {
  paused_.push_back(current_);
  wait(State::running);
}

int Block::barrier(Barrier kind, int predicate, std::source_location where) {
  if (at_barrier_ == 0) {
    barrier_kind_ = kind;
    barrier_where_ = where;
    barrier_true_ = 0;
  } else if (kind != barrier_kind_ || !same_place(where, barrier_where_)) {
    fail_two_places(where);
  }
  ++at_barrier_;
  barrier_true_ += predicate != 0;
  if (at_barrier_ == live_) {
    release_barrier();
  } else {
    wait(State::at_barrier);
  }
  return barrier_result_;
}

void Block::release_barrier() {
  if (live_ < threads_.size() && job_->options.exited_at_barrier == Exited::reported) {
    fail_returned_threads();
  }
  const auto came = static_cast<int>(at_barrier_);
  barrier_result_ = barrier_kind_ == Barrier::all   ? barrier_true_ == came
                    : barrier_kind_ == Barrier::any ? barrier_true_ > 0
                                                    : barrier_true_;
  at_barrier_ = 0;
  watch_.block_barrier();
  const auto warps = static_cast<unsigned>(warps_.size());
  const Order order = random_order(warps);
  for (unsigned i = 0; i <= order.mask; ++i) {
    if (order(i) < warps) wake_lanes(order(i), warps_[order(i)].live);
  }
}

int barrier(Barrier kind, int predicate, std::source_location where) {
  return Block::current().barrier(kind, predicate, where);
}

}  // namespace simt::detail
