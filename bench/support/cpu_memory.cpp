#include "bench/support/cpu_memory.hpp"

#include <algorithm>
#include <span>
#include <vector>

#include "bench/support/batch.hpp"
#include "host/support/parallel.hpp"

namespace tern::bench {
namespace {

/// Reads the rows in the order of ids and keeps their sum, so that no read can be optimised away.
/// Many sums side by side: a single sum would be limited by the latency of additions, not by
/// memory.
/// Rows are prefetched `ahead` of their sum; 0: not at all, which is faster in a near cache.
float gather_rows(std::span<const float> table, std::span<const NodeId> ids, std::int64_t width,
                  std::size_t ahead) {
  // Vectors by name: an array of sums would be stored and loaded again for each row.
  using Vector [[gnu::vector_size(64)]] = float;
  using InRow [[gnu::vector_size(64), gnu::aligned(4), gnu::may_alias]] = float;
  Vector a{}, b{}, c{}, d{};
  float rest = 0.0F;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ahead > 0) {
      const float* next = table.data() + ids[std::min(i + ahead, ids.size() - 1)] * width;
      for (std::int64_t f = 0; f < width; f += 16) __builtin_prefetch(next + f);
    }
    const float* row = table.data() + ids[i] * width;
    std::int64_t f = 0;
    for (; f + 64 <= width; f += 64) {
      a += *reinterpret_cast<const InRow*>(row + f);
      b += *reinterpret_cast<const InRow*>(row + f + 16);
      c += *reinterpret_cast<const InRow*>(row + f + 32);
      d += *reinterpret_cast<const InRow*>(row + f + 48);
    }
    for (; f + 16 <= width; f += 16) a += *reinterpret_cast<const InRow*>(row + f);
    for (; f < width; ++f) rest += row[f];
  }
  a += b + c + d;
  float total = rest;
  for (int s = 0; s < 16; ++s) total += a[s];
  return total;
}

// The loops with the widest vectors of the processor: with narrower ones they would be limits of the
// arithmetic, once the tables lie in a near cache. Everything is inlined into these functions.
#if defined(__x86_64__)
template <typename Work>
[[gnu::flatten, gnu::target("avx512f")]] void run_avx512(const Work& work) {
  work();
}
template <typename Work>
[[gnu::flatten, gnu::target("avx2")]] void run_avx2(const Work& work) {
  work();
}
#endif

template <typename Work>
void run_widest(const Work& work) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return run_avx512(work);
  if (__builtin_cpu_supports("avx2")) return run_avx2(work);
#endif
  work();
}

/// Calls stretch(begin, count) for a few long stretches of a table on each thread of the pool: beside
/// other programs a thread of OpenMP would wait for one that does not run.
template <typename Stretch>
void for_stretches(std::int64_t size, ThreadPool& pool, int threads, const Stretch& stretch) {
  const std::int64_t length = (size + 4 * threads - 1) / (4 * threads);
  parallel_for(pool, (size + length - 1) / length, [&](std::int64_t i) {
    run_widest([&] { stretch(i * length, std::min(length, size - i * length)); });
  });
}

float sum_of(const float* values, std::int64_t count) {
  constexpr std::int64_t kSums = 64;
  float sums[kSums] = {};
  std::int64_t i = 0;
  for (; i + kSums <= count; i += kSums) {
    for (std::int64_t s = 0; s < kSums; ++s) sums[s] += values[i + s];
  }
  for (std::int64_t s = 0; i < count; ++i, ++s) sums[s] += values[i];
  float total = 0.0F;
  for (const float sum : sums) total += sum;
  return total;
}

/// The limits at one table, whose rows are gathered in the order of ids.
void measure_place(std::span<const NodeId> ids, std::int64_t rows, std::int64_t width, Timer& timer,
                   CacheState caches, int threads, MemoryCeilings& at) {
  ThreadPool pool(threads);
  const std::int64_t size = rows * width;
  if (size == 0 || ids.empty()) return;
  const std::vector<float> a(static_cast<std::size_t>(size), 0.5F);
  std::vector<float> b(static_cast<std::size_t>(size), 0.25F);
  const double bytes = 4.0 * static_cast<double>(size);
  const auto stretches = [&](const auto& loop) {
    return [&a, &b, &pool, loop, size, threads] {
      for_stretches(size, pool, threads, [&](std::int64_t begin, std::int64_t count) {
        loop(a.data() + begin, b.data() + begin, count);
      });
    };
  };
  measure(at.copy, 2.0 * bytes, timer, caches,
          stretches([](const float* from, float* to, std::int64_t count) {
            std::copy_n(from, count, to);
          }));
  measure(at.update, 2.0 * bytes, timer, caches,
          stretches([](const float* /*from*/, float* to, std::int64_t count) {
            for (std::int64_t i = 0; i < count; ++i) to[i] = -to[i];
          }));
  measure(at.triad, 3.0 * bytes, timer, caches,
          stretches([](const float* from, float* to, std::int64_t count) {
            for (std::int64_t i = 0; i < count; ++i) to[i] += 1e-9F * from[i];
          }));
  measure(at.read, bytes, timer, caches,
          stretches([](const float* from, float* /*to*/, std::int64_t count) {
            [[maybe_unused]] const volatile float kept = sum_of(from, count);
          }));
  const auto count = static_cast<std::int64_t>(ids.size());
  const double gathered = 4.0 * static_cast<double>(count) * static_cast<double>(width);
  for (const std::size_t ahead : {0, 16}) {  // the faster one is the limit
    measure(at.gather, gathered, timer, caches, [&] {
      for_stretches(count, pool, threads, [&](std::int64_t begin, std::int64_t length) {
        const auto some =
            ids.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(length));
        [[maybe_unused]] const volatile float kept = gather_rows(a, some, width, ahead);
      });
    });
  }
}

}  // namespace

void measure_memory(const Workload& workload, Timer& timer, CacheState caches, int threads,
                    Ceilings& ceilings) {
  for (const Side side : {Side::kUser, Side::kItem}) {
    measure_place(workload.gathered_rows(side), workload.nodes(side), workload.width(), timer,
                  caches, threads,
                  ceilings.at(side == Side::kUser ? Place::kUsers : Place::kItems));
  }
  const std::vector<NodeId> batch = batch_gathers(workload);
  const auto rows = static_cast<std::int64_t>(batch.size()) / kBatchRounds;
  measure_place(batch, rows, workload.width(), timer, caches, threads, ceilings.at(Place::kBatch));
}

}  // namespace tern::bench
