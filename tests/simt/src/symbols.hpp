// Symbols from the program's own file: names of thread-local variables, source lines.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace simt::detail {

/// A thread-local variable of the program: where it lies in a thread's block of them.
struct ThreadLocal {
  std::size_t offset = 0;
  std::size_t size = 0;
  std::string name;
};

/// The calling CPU thread's block of the program's thread-local variables: those that have an
/// initial value, then, from zeros_begin, those that begin as zero.
struct ThreadLocalBlock {
  std::uintptr_t begin = 0;
  std::uintptr_t zeros_begin = 0;
  std::uintptr_t end = 0;
};

/// Sorted by offset; empty in a stripped program.
const std::vector<ThreadLocal>& thread_locals();
ThreadLocalBlock thread_local_block();

/// "function at file:line" of the call that returns to `return_address`, or "" (no addr2line, no
/// debug information). Runs a program: for reports only.
std::string source_line(const void* return_address);

}  // namespace simt::detail
