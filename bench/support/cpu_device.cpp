#include <chrono>
#include <vector>

#include "bench/support/cpu_memory.hpp"
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

class CpuDevice final : public Device {
 public:
  explicit CpuDevice(int threads) : timer_(threads), threads_(threads) {}

  void measure_ceilings(const Workload& workload, CacheState caches, Ceilings& ceilings) override {
    measure_memory(workload, timer_, caches, threads_, ceilings);
    measure_product(caches, ceilings.product);
  }
  Timer& backend_timer() override { return timer_; }
  Timer& rival_timer() override { return timer_; }

 private:
  /// Products of blocks of 28 KiB, which fit each core's first cache.
  void measure_product(CacheState caches, Ceiling& ceiling) {
    constexpr std::int64_t kSize = cpu::kPanel;
    constexpr std::int64_t kRows = 4 * cpu::kTileRows;
    constexpr std::int64_t kProducts = 64;  // that a thread makes in a row
    constexpr std::int64_t kRounds = 64;
    const auto multiply = cpu::choose_product_kernels().multiply;
    ThreadPool pool(threads_);
    const double flops = 2.0 * kRows * kSize * kSize * kProducts * kRounds;
    measure(ceiling, flops, timer_, caches, [&] {
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
  }

  CpuTimer timer_;
  int threads_;
};

}  // namespace

std::unique_ptr<Device> make_cpu_device(int threads) {
  return std::make_unique<CpuDevice>(threads);
}

}  // namespace tern::bench
