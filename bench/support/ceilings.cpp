#include "bench/support/ceilings.hpp"

#include <cblas.h>

#include <algorithm>
#include <functional>
#include <limits>

#include "tern/random.hpp"

namespace tern::bench {
namespace {

constexpr int kRepetitions = 5;

double best_seconds(Backend& backend, const std::function<void()>& work) {
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < kRepetitions; ++i) best = std::min(best, backend.seconds(work));
  return best;
}

/// Reads the rows in the order of ids and keeps their sum, so that no read can be left out.
float gather_rows(std::span<const float> table, std::span<const NodeId> ids, std::int64_t width,
                  int threads) {
  constexpr std::int64_t kAhead = 16;
  const auto count = static_cast<std::int64_t>(ids.size());
  float total = 0.0F;
#pragma omp parallel for num_threads(threads) schedule(static) reduction(+ : total)
  for (std::int64_t i = 0; i < count; ++i) {
    const float* ahead = table.data() + ids[std::min(i + kAhead, count - 1)] * width;
    for (std::int64_t f = 0; f < width; f += 16) __builtin_prefetch(ahead + f);
    const float* row = table.data() + ids[i] * width;
    float sum = 0.0F;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t f = 0; f < width; ++f) sum += row[f];
    total += sum;
  }
  return total;
}

double measure_copy(Backend& backend) {
  constexpr std::int64_t kRows = 1 << 20;
  constexpr std::int64_t kWidth = 64;  // 256 MiB a side
  Matrix from = backend.allocate(kRows, kWidth);
  Matrix to = backend.allocate(kRows, kWidth);
  const double seconds = best_seconds(backend, [&] { backend.copy(from, to); });
  return 2.0 * sizeof(float) * kRows * kWidth / seconds;
}

double measure_gather(Workload& workload) {
  const std::int64_t width = workload.width();
  const std::vector<float> table = workload.table_values(Side::kItem, 7);
  const auto items = static_cast<std::uint32_t>(workload.nodes(Side::kItem));
  std::vector<NodeId> ids(static_cast<std::size_t>(workload.graph().size()));
  for (std::size_t i = 0; i < ids.size(); ++i) {
    ids[i] = static_cast<NodeId>(RandomStream(Seed{2}, Purpose::kGenerate, 0, i).below(items));
  }
  volatile float keep = 0.0F;
  const double seconds = best_seconds(
      workload.backend(), [&] { keep = gather_rows(table, ids, width, workload.threads()); });
  return static_cast<double>(ids.size()) * static_cast<double>(width) * sizeof(float) / seconds;
}

double measure_product(Workload& workload) {
  constexpr int kSize = 1536;
  const std::vector<float> a(static_cast<std::size_t>(kSize) * kSize, 0.5F);
  std::vector<float> c(a.size());
  openblas_set_num_threads(workload.threads());
  const double seconds = best_seconds(workload.backend(), [&] {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, kSize, kSize, kSize, 1.0F, a.data(), kSize,
                a.data(), kSize, 0.0F, c.data(), kSize);
  });
  openblas_set_num_threads(1);  // what the CPU backend counts on
  return 2.0 * kSize * kSize * static_cast<double>(kSize) / seconds;
}

}  // namespace

Ceilings measure_ceilings(Workload& workload) {
  return {.copy = measure_copy(workload.backend()),
          .gather = measure_gather(workload),
          .product = measure_product(workload)};
}

CacheFlusher::CacheFlusher() : buffer_(std::size_t{96} << 18) {}  // 96 MiB

void CacheFlusher::flush() {
  for (std::size_t i = 0; i < buffer_.size(); i += 16) buffer_[i] += 1.0F;
}

}  // namespace tern::bench
