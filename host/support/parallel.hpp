#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>

namespace tern {

/// Runs body(i) for every i in [0, count) on OpenMP's threads. If bodies throw, rethrows the exception
/// of the smallest i afterwards, whatever the threads' timing. Bodies of greater i may be skipped.
template <typename Body>
void parallel_for(std::int64_t count, const Body& body) {
  std::atomic<std::int64_t> failed = count;
  std::exception_ptr error;
#pragma omp parallel for schedule(dynamic, 1) if (count > 1)
  for (std::int64_t i = 0; i < count; ++i) {
    if (i > failed.load(std::memory_order_relaxed)) continue;
    try {
      body(i);
    } catch (...) {
#pragma omp critical(tern_parallel_for)
      if (i < failed.load(std::memory_order_relaxed)) {
        failed.store(i, std::memory_order_relaxed);
        error = std::current_exception();
      }
    }
  }
  if (error) std::rethrow_exception(error);
}

/// Runs body(i) for every i in [0, count), a block of `block` of them at a time; see parallel_for.
template <typename Body>
void parallel_for_blocks(std::int64_t count, std::int64_t block, const Body& body) {
  parallel_for((count + block - 1) / block, [&](std::int64_t b) {
    const std::int64_t end = std::min((b + 1) * block, count);
    for (std::int64_t i = b * block; i < end; ++i) body(i);
  });
}

}  // namespace tern
