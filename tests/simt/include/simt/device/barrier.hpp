// Block barriers and fences. Each call knows its own line, so that a report can name it.
#pragma once

#include <source_location>

namespace simt::detail {

enum class Barrier { plain, count, all, any };

int barrier(Barrier kind, int predicate, std::source_location where);
void fence();
void pause();
[[noreturn]] void trap(std::source_location where);

}  // namespace simt::detail

inline void __syncthreads(std::source_location where = std::source_location::current()) {
  simt::detail::barrier(simt::detail::Barrier::plain, 0, where);
}
inline int __syncthreads_count(int predicate,
                               std::source_location where = std::source_location::current()) {
  return simt::detail::barrier(simt::detail::Barrier::count, predicate, where);
}
inline int __syncthreads_and(int predicate,
                             std::source_location where = std::source_location::current()) {
  return simt::detail::barrier(simt::detail::Barrier::all, predicate, where);
}
inline int __syncthreads_or(int predicate,
                            std::source_location where = std::source_location::current()) {
  return simt::detail::barrier(simt::detail::Barrier::any, predicate, where);
}

inline void __threadfence() {
  simt::detail::fence();
}
inline void __threadfence_block() {
  simt::detail::fence();
}
inline void __threadfence_system() {
  simt::detail::fence();
}

/// Lets the other threads of the block run; a thread that spins must call this.
inline void __nanosleep(unsigned) {
  simt::detail::pause();
}
[[noreturn]] inline void __trap(std::source_location where = std::source_location::current()) {
  simt::detail::trap(where);
}
