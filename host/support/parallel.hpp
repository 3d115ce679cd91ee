#pragma once

#include <atomic>
#include <cstdint>
#include <exception>

namespace tern {

/// Runs body(i) for every i in [0, count), on OpenMP's threads. If bodies throw, the
/// exception of the smallest i is thrown again afterwards, whatever the threads' timing; bodies of
/// greater i may be left out.
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

}  // namespace tern
