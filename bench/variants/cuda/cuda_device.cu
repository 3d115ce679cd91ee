#include "bench/variants/cuda/cuda_device.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <string>
#include <vector>

#include "bench/variants/cuda/device_tables.hpp"
#include "bench/variants/cuda/gather_rows.cuh"
#include "tern/error.hpp"

namespace tern::bench {
namespace {

int index_of(const Backend& backend) {
  const std::string name = backend.name();
  const std::string_view prefix = "cuda:";
  int index = -1;
  if (name.starts_with(prefix)) {
    std::from_chars(name.data() + prefix.size(), name.data() + name.size(), index);
  }
  if (index < 0) throw DeviceError("backend " + name + " has no GPU, expected cuda:N");
  return index;
}

cudaDeviceProp select_device(int index) {
  cuda::check(cudaSetDevice(index));
  cudaDeviceProp properties{};
  cuda::check(cudaGetDeviceProperties(&properties, index));
  return properties;
}

}  // namespace

StreamTimer::StreamTimer(std::int64_t evicted_bytes, const cuda::Memory& memory)
    : stream_(memory.stream),
      buffer_(evicted_bytes, memory),
      begin_(cuda::make_event()),
      end_(cuda::make_event()) {}

void StreamTimer::evict() {
  buffer_.zero();
}

double StreamTimer::seconds(const std::function<void()>& work) {
  cuda::check(cudaEventRecord(begin_.get(), stream_));
  work();
  cuda::check(cudaEventRecord(end_.get(), stream_));
  cuda::check(cudaEventSynchronize(end_.get()));
  float milliseconds = 0.0F;
  cuda::check(cudaEventElapsedTime(&milliseconds, begin_.get(), end_.get()));
  return static_cast<double>(milliseconds) * 1e-3;
}

BackendTimer::BackendTimer(std::int64_t evicted_bytes, Backend& backend)
    : backend_(backend), buffer_(backend.allocate(cuda::ceil_div(evicted_bytes, 256), 64)) {}

void BackendTimer::evict() {
  backend_.fill(buffer_, 0.0);
}

CudaDevice::CudaDevice(Backend& backend)
    : index_(index_of(backend)),
      properties_(select_device(index_)),
      pool_(cuda::make_pool(index_)),
      stream_(cuda::make_stream()),
      rival_timer_(2 * std::int64_t{properties_.l2CacheSize}, memory()),
      backend_timer_(2 * std::int64_t{properties_.l2CacheSize}, backend) {}

cublasHandle_t CudaDevice::cublas() {
  if (cublas_ == nullptr) cublas_ = cuda::make_cublas(stream_.get());
  return cublas_.get();
}

Ceilings CudaDevice::measure_ceilings(const Workload& workload) {
  return {.copy = measure_copy(), .gather = measure_gather(workload), .product = measure_product()};
}

double CudaDevice::best_seconds(const std::function<void()>& work) {
  constexpr int kRuns = 10;
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < kRuns; ++i) best = std::min(best, rival_timer_.seconds(work));
  return best;
}

double CudaDevice::measure_copy() {
  constexpr std::int64_t kBytes = std::int64_t{1} << 29;  // ten times the L2 of an H200
  cuda::DeviceArray<std::uint8_t> from(kBytes, memory());
  const cuda::DeviceArray<std::uint8_t> to(kBytes, memory());
  from.zero();
  const double seconds = best_seconds([&] {
    cuda::check(cudaMemcpyAsync(to.data(), from.data(), to.bytes(), cudaMemcpyDeviceToDevice,
                                stream_.get()));
  });
  return 2.0 * static_cast<double>(kBytes) / seconds;
}

double CudaDevice::measure_gather(const Workload& workload) {
  const DeviceTable table(workload, Side::kItem, 7, memory());
  const std::vector<NodeId> rows = workload.random_rows(Side::kItem);
  const cuda::DeviceArray<NodeId> ids = cuda::to_device(std::span(rows), memory());
  const cuda::DeviceArray<float> sums(cuda::ceil_div(ids.size(), cuda::kGatherRun) * table.stride(),
                                      memory());
  const double seconds = best_seconds([&] {
    cuda::run_gather_rows(
        cuda::Launcher(queue()),
        {.table = table.read_only(), .ids = ids.data(), .count = ids.size(), .sums = sums.data()});
  });
  return static_cast<double>(ids.size()) * static_cast<double>(workload.width()) * sizeof(float) /
         seconds;
}

double CudaDevice::measure_product() {
  constexpr std::int64_t kSize = 8192;
  constexpr std::int64_t kElements = kSize * kSize;
  cuda::DeviceArray<float> a(kElements, memory());
  cuda::DeviceArray<float> b(kElements, memory());
  const cuda::DeviceArray<float> c(kElements, memory());
  a.fill_bytes(0x3e);  // floats of about 0.19: zeros draw less power and run faster
  b.fill_bytes(0x3e);
  const float one = 1.0F;
  const float zero = 0.0F;
  const double seconds = best_seconds([&] {
    cuda::check(cublasSgemm_64(cublas(), CUBLAS_OP_T, CUBLAS_OP_N, kSize, kSize, kSize, &one,
                               a.data(), kSize, b.data(), kSize, &zero, c.data(), kSize));
  });
  return 2.0 * static_cast<double>(kSize) * static_cast<double>(kElements) / seconds;
}

}  // namespace tern::bench
