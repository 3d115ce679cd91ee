#include <algorithm>
#include <chrono>
#include <limits>
#include <span>
#include <vector>

#include "bench/support/device.hpp"
#include "bench/support/workload.hpp"
#include "host/cpu/storage.hpp"
#include "host/cpu/table_products.hpp"
#include "host/support/parallel.hpp"

namespace tern::bench {
namespace {

/// 96 MiB: three times the 32 MiB of last-level cache that the cores of one EPYC complex share.
constexpr std::size_t kEvictedFloats = std::size_t{96} << 18;

/// A steady clock; work on a CPU is done when its call returns.
class CpuTimer final : public Timer {
 public:
  explicit CpuTimer(int threads) : buffer_(kEvictedFloats), threads_(threads) {}

  void evict() override {
    float* data = buffer_.data();
    // Every thread, because every core has caches of its own.
#pragma omp parallel for num_threads(threads_) schedule(static)
    for (std::size_t i = 0; i < kEvictedFloats; i += 16) data[i] += 1.0F;
  }

  double seconds(const std::function<void()>& work) override {
    const auto begin = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

 private:
  std::vector<float> buffer_;
  int threads_;
};

/// Reads the rows in the order of ids and keeps their sum, so that no read can be optimised away.
/// Many sums side by side: a single sum would be limited by the latency of additions, not by
/// memory.
float gather_rows(std::span<const float> table, std::span<const NodeId> ids, std::int64_t width,
                  int threads) {
  constexpr std::int64_t kAhead = 16;
  constexpr std::int64_t kSums = 32;
  const auto count = static_cast<std::int64_t>(ids.size());
  float total = 0.0F;
#pragma omp parallel num_threads(threads) reduction(+ : total)
  {
    float sums[kSums] = {};
#pragma omp for schedule(static)
    for (std::int64_t i = 0; i < count; ++i) {
      const float* ahead = table.data() + ids[std::min(i + kAhead, count - 1)] * width;
      for (std::int64_t f = 0; f < width; f += 16) __builtin_prefetch(ahead + f);
      const float* row = table.data() + ids[i] * width;
      std::int64_t f = 0;
      for (; f + kSums <= width; f += kSums) {
        for (std::int64_t s = 0; s < kSums; ++s) sums[s] += row[f + s];
      }
      for (std::int64_t s = 0; f < width; ++f, ++s) sums[s] += row[f];
    }
    for (const float sum : sums) total += sum;
  }
  return total;
}

class CpuDevice final : public Device {
 public:
  explicit CpuDevice(int threads) : timer_(threads), threads_(threads) {}

  Ceilings measure_ceilings(const Workload& workload) override {
    return {
        .copy = measure_copy(), .gather = measure_gather(workload), .product = measure_product()};
  }
  Timer& backend_timer() override { return timer_; }
  Timer& rival_timer() override { return timer_; }

 private:
  double best_seconds(const std::function<void()>& work) {
    constexpr int kRepetitions = 7;
    double best = std::numeric_limits<double>::infinity();
    for (int i = 0; i < kRepetitions; ++i) best = std::min(best, timer_.seconds(work));
    return best;
  }

  double measure_copy() {
    constexpr std::int64_t kSize = std::int64_t{1} << 26;  // 256 MiB a side
    const std::vector<float> from(kSize, 1.0F);
    std::vector<float> to(kSize);
    const std::int64_t stretch = (kSize + threads_ - 1) / threads_;
    // Each thread copies one long stretch, because the writes of a long copy bypass the caches. The
    // writes of a short copy first read each cache line: 1.5 times the traffic.
    const double seconds = best_seconds([&] {
#pragma omp parallel for num_threads(threads_) schedule(static)
      for (std::int64_t begin = 0; begin < kSize; begin += stretch) {
        std::copy_n(from.data() + begin, std::min(stretch, kSize - begin), to.data() + begin);
      }
    });
    return 2.0 * sizeof(float) * static_cast<double>(kSize) / seconds;
  }

  double measure_gather(const Workload& workload) {
    const std::int64_t width = workload.width();
    const std::vector<float> table = workload.table_values(Side::kItem, 7);
    const std::vector<NodeId> ids = workload.random_rows(Side::kItem);
    volatile float keep = 0.0F;
    const double seconds = best_seconds([&] { keep = gather_rows(table, ids, width, threads_); });
    return static_cast<double>(ids.size()) * static_cast<double>(width) * sizeof(float) / seconds;
  }

  /// Products of blocks of 28 KiB, which fit each core's first cache.
  double measure_product() {
    constexpr std::int64_t kSize = cpu::kPanel;
    constexpr std::int64_t kRows = 4 * cpu::kTileRows;
    constexpr std::int64_t kProducts = 64;  // that a thread makes in a row
    constexpr std::int64_t kRounds = 64;
    const auto multiply = cpu::choose_product_kernels().multiply;
    ThreadPool pool(threads_);
    const double seconds = best_seconds([&] {
      parallel_for(pool, kRounds, [&](std::int64_t /*round*/) {
        const cpu::FloatBlock a(kRows * kSize);
        const cpu::FloatBlock b(kSize * kSize);
        const cpu::FloatBlock c(kRows * kSize);
        for (std::int64_t i = 0; i < kProducts; ++i) {
          multiply({.a = a.data(),
                    .a_row = kSize,
                    .a_depth = 1,
                    .b = b.data(),
                    .b_stride = kSize,
                    .c = c.data(),
                    .c_stride = kSize,
                    .rows = kRows,
                    .depth = kSize,
                    .cols = kSize});
        }
      });
    });
    return 2.0 * kRows * kSize * kSize * kProducts * kRounds / seconds;
  }

  CpuTimer timer_;
  int threads_;
};

}  // namespace

std::unique_ptr<Device> make_cpu_device(int threads) {
  return std::make_unique<CpuDevice>(threads);
}

}  // namespace tern::bench
