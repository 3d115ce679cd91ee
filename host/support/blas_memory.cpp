#include "host/support/blas_memory.hpp"

#include <cblas.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include <barrier>
#include <cstdint>
#include <vector>

#include "host/support/message.hpp"
#include "tern/error.hpp"
#include "tern/memory.hpp"

namespace tern {
namespace {

/// A buffer of OpenBLAS 0.3.21 on x86-64 (the growth of the address space by a first product), and a
/// thread's stack with its guard.
constexpr std::int64_t kThreadBytes = std::int64_t{(128 + 16)} << 20;

/// Products under way at the same time take a buffer each, and keep it.
constexpr int kRounds = 8;
constexpr int kSize = 512;

}  // namespace

void prepare_blas(ThreadPool& pool) {
  openblas_set_num_threads(1);
  const int threads = pool.threads();
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
  const std::int64_t free = host_memory().free;
  if (free < threads * kThreadBytes) {
    throw MemoryError(fmt::format(
        "the limit of the address space (ulimit -v) leaves {} for {} threads, which need {}",
        format_bytes(free), threads, format_bytes(threads * kThreadBytes)));
  }
  const std::vector<float> factor(std::size_t{kSize} * kSize, 1.0F);
  std::vector<float> results(static_cast<std::size_t>(threads) * kSize * kSize);
  // All threads meet first: only products at the same time take a buffer each.
  std::barrier meeting(threads);
  parallel_for_slots(pool, threads, [&](std::int64_t, int slot) {
    meeting.arrive_and_wait();
    for (int round = 0; round < kRounds; ++round) {
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, kSize, kSize, kSize, 1.0F,
                  factor.data(), kSize, factor.data(), kSize, 0.0F,
                  results.data() + std::int64_t{slot} * kSize * kSize, kSize);
    }
  });
}

}  // namespace tern
