// Runs CUDA kernels on a CPU, one fiber a thread, and reports faults that a GPU would not report.
//
//   __global__ void scale_kernel(float* y, const float* x, float a, int n) { ... }   // plain CUDA
//
//   simt::Buffer<float> x(n), y(n);                          // watched "device" memory
//   simt::launch(grid, block, shared_bytes, {.seed = 7}, scale_kernel, y.data(), x.data(), 2.0f,
//   n);
//
// launch returns when every block is done, and throws simt::Error at the first fault.
// README.md lists the faults that are found, how, and the limits.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "simt/device/vector_types.hpp"

namespace simt {

/// What went wrong in a kernel.
enum class Fault {
  bad_launch,         ///< a shape that no device takes
  divergent_barrier,  ///< a block barrier that not all threads reach, or reach at one place
  divergent_warp,     ///< lanes that wait for lanes that will not come, or come for something else
  bad_mask,          ///< a mask that does not name its own lane, or a width that is no power of two
  inactive_lane,     ///< a shuffle from a lane that takes no part
  shared_race,       ///< two threads at one shared address, one of them writing, no barrier between
  unwritten_shared,  ///< a read of shared memory that no thread of this block has written
  out_of_bounds,     ///< beside a Buffer, a shared array or any array of known length
  misaligned,        ///< an address that its type's alignment does not divide
  undefined,         ///< signed overflow, bad shift, division by zero, an impossible place
  trap,              ///< the kernel called __trap()
  bad_collective     ///< ranks whose collectives do not fit together, or one that never comes
};

/// The first fault of a launch: its kind, block and thread. what() has these too, and the source
/// line if it is known.
class Error : public std::runtime_error {
 public:
  Error(Fault fault, uint3 block, uint3 thread, const std::string& what)
      : std::runtime_error(what), fault_(fault), block_(block), thread_(thread) {}
  Fault fault() const { return fault_; }
  uint3 block() const { return block_; }
  uint3 thread() const { return thread_; }

 private:
  Fault fault_;
  uint3 block_;
  uint3 thread_;
};

/// How a block barrier counts threads that have returned. Devices since Volta excuse them.
enum class Exited { excused, reported };

struct Options {
  std::uint64_t seed = 1;  ///< of the order in which blocks, warps and lanes run
  unsigned workers = 0;    ///< CPU threads that blocks are spread over; 0: one a core
  Exited exited_at_barrier = Exited::excused;
};

/// Whether the including file is compiled with the instrumentation for the watch over shared
/// memory, buffers and arithmetic (simt_instrument in CMakeLists.txt).
#ifdef __SANITIZE_THREAD__
inline constexpr bool kWatched = true;
#else
inline constexpr bool kWatched = false;
#endif

/// The most dynamic shared memory of a launch, in bytes (compute capability 9.0).
inline constexpr std::size_t kMaxSharedBytes = 232448;

namespace detail {
struct Body {
  const void* object;
  void (*call)(const void*);
};
void launch(dim3 grid, dim3 block, std::size_t shared_bytes, const Options& options, Body body);
}  // namespace detail

/// Runs `body()` once for every thread of the grid. Throws Error, or what `body` throws.
template <std::invocable F>
void launch(dim3 grid, dim3 block, std::size_t shared_bytes, const Options& options,
            const F& body) {
  detail::launch(grid, block, shared_bytes, options,
                 {&body, [](const void* object) { (*static_cast<const F*>(object))(); }});
}

/// Runs `kernel(args...)`: kernel<<<grid, block, shared_bytes>>>(args...), done on return.
template <class... Parameters>
void launch(dim3 grid, dim3 block, std::size_t shared_bytes, const Options& options,
            void (*kernel)(Parameters...), std::type_identity_t<Parameters>... args) {
  launch(grid, block, shared_bytes, options, [&] { kernel(args...); });
}

}  // namespace simt
