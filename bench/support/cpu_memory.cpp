#include "bench/support/cpu_memory.hpp"

#include <algorithm>
#include <span>
#include <vector>

#include "bench/support/batch.hpp"
#include "bench/support/cpu_gather.hpp"
#include "host/cpu/storage.hpp"
#include "host/support/parallel.hpp"

namespace tern::bench {
namespace {

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

/// Gathers rows of the table in the order of ids, with `row_bytes` of each that count.
struct GatherMeasurement {
  const float* table;
  std::int64_t stride;
  std::span<const NodeId> ids;
  double row_bytes;
  std::size_t ahead;  // as far as propagate prefetches
};

void measure_gather(const GatherMeasurement& g, Timer& timer, CacheState caches, ThreadPool& pool,
                    int threads, Ceiling& ceiling) {
  const auto count = static_cast<std::int64_t>(g.ids.size());
  for (const std::size_t ahead : {std::size_t{0}, g.ahead}) {  // the faster one is the limit
    measure(ceiling, g.row_bytes * static_cast<double>(count), timer, caches, [&] {
      for_stretches(count, pool, threads, [&](std::int64_t begin, std::int64_t length) {
        const auto some =
            g.ids.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(length));
        [[maybe_unused]] const volatile float kept = gather_rows(g.table, g.stride, some, ahead);
      });
    });
  }
}

/// The limits at one table, whose rows are gathered in the order of ids. The tables lie in memory as
/// those of the backend do, in huge pages and with padded rows: gathers from small pages would wait for
/// the translation of addresses.
void measure_place(std::span<const NodeId> ids, std::int64_t rows, std::int64_t width, Timer& timer,
                   CacheState caches, int threads, Ceilings::Gathers gathers, MemoryCeilings& at) {
  ThreadPool pool(threads);
  const std::int64_t size = rows * width;
  if (size == 0 || ids.empty()) return;
  const std::int64_t stride = cpu::padded(width);
  cpu::FloatBlock a(rows * stride);
  cpu::FloatBlock b(rows * stride);
  std::fill_n(a.data(), a.size(), 0.5F);
  std::fill_n(b.data(), b.size(), 0.25F);
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
  const auto d = static_cast<double>(width);
  measure_gather({a.data(), stride, ids, 4.0 * d, 24}, timer, caches, pool, threads, at.gather);
  if (gathers != Ceilings::Gathers::kAlsoBf16) return;
  const std::int64_t half = cpu::padded(stride / 2);  // floats that take the room of a row in bf16
  measure_gather({a.data(), half, ids, 2.0 * d, 48}, timer, caches, pool, threads, at.gather_bf16);
}

}  // namespace

void measure_memory(const Workload& workload, Timer& timer, CacheState caches, int threads,
                    Ceilings& ceilings) {
  for (const Side side : {Side::kUser, Side::kItem}) {
    measure_place(workload.gathered_rows(side), workload.nodes(side), workload.width(), timer,
                  caches, threads, ceilings.gathers,
                  ceilings.at(side == Side::kUser ? Place::kUsers : Place::kItems));
  }
  const std::vector<NodeId> batch = batch_gathers(workload);
  const auto rows = static_cast<std::int64_t>(batch.size()) / kBatchRounds;
  measure_place(batch, rows, workload.width(), timer, caches, threads, ceilings.gathers,
                ceilings.at(Place::kBatch));
}

}  // namespace tern::bench
