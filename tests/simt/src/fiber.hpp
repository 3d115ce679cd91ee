// Fibers: stacks that one CPU thread switches between. A switch is ~40 instructions (Boost's
// jump_fcontext); AddressSanitizer is notified of each, so that it knows the current stack.
#pragma once

#include <boost/context/detail/fcontext.hpp>
#include <cstddef>
#include <vector>

namespace simt::detail {

struct Fiber {
  boost::context::detail::fcontext_t context = nullptr;  // where to continue; set when left
  const void* stack_bottom = nullptr;                    // of the stack, for the sanitizer
  std::size_t stack_size = 0;
  void* fake_stack = nullptr;  // the sanitizer's, kept while the fiber is away
};

/// Leaves `from` and continues in `to`; returns when a fiber switches back to `from`.
#ifdef __SANITIZE_ADDRESS__
void switch_fiber(Fiber& from, Fiber& to);
#else
inline void switch_fiber(Fiber& from, Fiber& to) {
  const auto [context, origin] = boost::context::detail::jump_fcontext(to.context, &from);
  static_cast<Fiber*>(origin)->context = context;
}
#endif

/// Stacks for the most fibers ever needed, each with an unreadable page below it, kept until the
/// pool is destroyed. Every fiber runs `main`, which never returns.
class FiberPool {
 public:
  explicit FiberPool(void (*main)()) : main_(main) {}
  FiberPool(const FiberPool&) = delete;
  FiberPool& operator=(const FiberPool&) = delete;
  ~FiberPool();

  /// A fiber that waits at the start of main or where it last called put.
  Fiber& take() {
    if (idle_.empty()) grow();
    last_taken_ = idle_.back();
    idle_.pop_back();
    return *last_taken_;
  }
  /// At the start of main: the fiber that runs it.
  Fiber& last_taken() { return *last_taken_; }
  void put(Fiber& fiber) { idle_.push_back(&fiber); }
  /// Resets all fibers: idle, at the start of main.
  void reset();

 private:
  struct Region {
    std::byte* memory;
    std::vector<Fiber> fibers;
  };
  void grow();
  void prepare(Fiber& fiber, std::size_t number);

  void (*main_)();
  std::vector<Region> regions_;
  std::vector<Fiber*> idle_;
  Fiber* last_taken_ = nullptr;
};

}  // namespace simt::detail
