// The rivals of a GPU, host code and kernels, executed on a CPU by the emulated runtime of
// tests/simt, beside the CUDA backend on the same runtime. Rivals of libraries without a stand-in
// (cuSPARSE, Thrust's algorithms, CUB's radix sort of segments) are left out.

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "bench/support/report.hpp"
#include "bench/support/run_cases.hpp"
#include "bench/variants/cuda/cuda_device.hpp"
#include "bench/variants/cuda/rivals.hpp"
#include "tern/device.hpp"
#include "tern/error.hpp"
#include "tests/simt_backend/simt_backend.hpp"
#include "tests/support/graphs.hpp"

namespace tern::test {
namespace {

/// Verifies and times the cases on an emulated GPU; the printed table goes to *table.
bench::Summary run_on_emulated_gpu(const bench::Cases& cases, bench::CacheState caches,
                                   std::string* table) {
  const auto backend = make_simt_backend();
  bench::CudaDevice device(*backend);
  bench::Workload workload(*backend, device, random_interactions(60, 50, 0.2, 1), 10, 1);
  char* text = nullptr;
  std::size_t size = 0;
  bench::RunOptions options;
  options.seconds = 1e-3;
  options.blocks = 1;
  options.caches = {caches};
  std::FILE* out = open_memstream(&text, &size);
  const bench::Summary summary = bench::print_table(out, "", run_cases(cases, workload, options));
  std::fclose(out);
  *table = text;
  std::free(text);
  return summary;
}

bench::Cases rivals() {
  bench::Cases cases;
  add_propagate_kernels(cases);
  add_embedding_statistics_cublas(cases);
  add_in_batch_softmax_cublas(cases);
  return cases;
}

TEST(GpuRivals, AreRightAndTimedWithColdAndWarmCaches) {
  for (const auto caches : {bench::CacheState::kEvicted, bench::CacheState::kWarm}) {
    std::string table;
    const bench::Summary summary = run_on_emulated_gpu(rivals(), caches, &table);
    EXPECT_EQ(summary.refused, 0) << table;
    EXPECT_EQ(summary.timed, static_cast<int>(rivals().size())) << table;
  }
}

TEST(GpuRivals, StandBesideTheOpsOfTheSeam) {
  bench::Cases cases;
  add_propagate_cases(cases, bench::DeviceKind::kCuda);
  add_sgd_cases(cases, bench::DeviceKind::kCuda);
  std::string table;
  const bench::Summary summary = run_on_emulated_gpu(cases, bench::CacheState::kEvicted, &table);
  EXPECT_EQ(summary.refused, 0) << table;
  EXPECT_EQ(summary.timed, static_cast<int>(cases.size()));
}

TEST(GpuRivals, ABackendThatIsNoGpuIsRefused) {
  const auto cpu = make_cpu_backend(1);
  EXPECT_THROW(bench::CudaDevice device(*cpu), DeviceError);
}

}  // namespace
}  // namespace tern::test
