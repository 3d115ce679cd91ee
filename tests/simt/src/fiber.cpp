#include "fiber.hpp"

#include <sys/mman.h>

#include <new>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace simt::detail {
namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr std::size_t kStackBytes = 256 << 10;  // redzones around every local
#else
constexpr std::size_t kStackBytes = 64 << 10;
#endif
constexpr std::size_t kGuardBytes = 4096;
constexpr std::size_t kFibersPerRegion = 64;
// Equally spaced stack tops would share a few cache sets, so each is shifted by some lines.
constexpr std::size_t kColours = 32;
constexpr std::size_t kColourBytes = 320;

// Called on arrival; `fake_stack` is null in a fiber that has just begun.
void arrived(boost::context::detail::transfer_t transfer, [[maybe_unused]] void* fake_stack) {
  Fiber& origin = *static_cast<Fiber*>(transfer.data);
  origin.context = transfer.fctx;
#ifdef __SANITIZE_ADDRESS__
  // The first switch away from a CPU thread's own stack reports the place of that stack.
  __sanitizer_finish_switch_fiber(fake_stack, &origin.stack_bottom, &origin.stack_size);
#endif
}

// An abandoned stack still has the redzones of its frames.
void unpoison([[maybe_unused]] const void* memory, [[maybe_unused]] std::size_t bytes) {
#ifdef __SANITIZE_ADDRESS__
  __asan_unpoison_memory_region(memory, bytes);
#endif
}

thread_local void (*fiber_main)() = nullptr;

void begin(boost::context::detail::transfer_t transfer) {
  arrived(transfer, nullptr);
  fiber_main();
}

}  // namespace

#ifdef __SANITIZE_ADDRESS__
void switch_fiber(Fiber& from, Fiber& to) {
  __sanitizer_start_switch_fiber(&from.fake_stack, to.stack_bottom, to.stack_size);
  const auto transfer = boost::context::detail::jump_fcontext(to.context, &from);
  arrived(transfer, from.fake_stack);
}
#endif

FiberPool::~FiberPool() {
  for (Region& region : regions_) {
    unpoison(region.memory, kFibersPerRegion * kStackBytes);
    munmap(region.memory, kFibersPerRegion * kStackBytes);
  }
}

void FiberPool::prepare(Fiber& fiber, std::size_t number) {
  auto* bottom = static_cast<std::byte*>(const_cast<void*>(fiber.stack_bottom));
  unpoison(bottom, fiber.stack_size);
  const std::size_t colour = number % kColours * kColourBytes;
  fiber.context = boost::context::detail::make_fcontext(bottom + fiber.stack_size - colour,
                                                        fiber.stack_size - colour, &begin);
  fiber.fake_stack = nullptr;
}

void FiberPool::grow() {
  void* memory = mmap(nullptr, kFibersPerRegion * kStackBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  fiber_main = main_;
  Region& region =
      regions_.emplace_back(static_cast<std::byte*>(memory), std::vector<Fiber>(kFibersPerRegion));
  for (std::size_t i = 0; i < kFibersPerRegion; ++i) {
    std::byte* low = region.memory + i * kStackBytes;
    mprotect(low, kGuardBytes, PROT_NONE);
    region.fibers[i].stack_bottom = low + kGuardBytes;
    region.fibers[i].stack_size = kStackBytes - kGuardBytes;
    prepare(region.fibers[i], i);
    idle_.push_back(&region.fibers[i]);
  }
}

void FiberPool::reset() {
  idle_.clear();
  for (Region& region : regions_) {
    for (std::size_t i = 0; i < kFibersPerRegion; ++i) {
      prepare(region.fibers[i], i);
      idle_.push_back(&region.fibers[i]);
    }
  }
}

}  // namespace simt::detail
