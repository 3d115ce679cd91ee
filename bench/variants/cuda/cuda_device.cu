#include "bench/variants/cuda/cuda_device.hpp"

#include <charconv>
#include <string>
#include <vector>

#include "bench/support/batch.hpp"
#include "bench/variants/cuda/device_tables.hpp"
#include "bench/variants/cuda/gather_rows.cuh"
#include "bench/variants/cuda/stream_rows.cuh"
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

void CudaDevice::measure_ceilings(const Workload& workload, CacheState caches, Ceilings& ceilings) {
  // The loop shares no row between the warps of a block: in the L1 of a GPU an op may be faster.
  ceilings.gather_slack = 3.0;
  for (const Side side : {Side::kUser, Side::kItem}) {
    measure_place(workload.gathered_rows(side), workload.nodes(side), workload.width(), caches,
                  ceilings.at(side == Side::kUser ? Place::kUsers : Place::kItems));
  }
  const std::vector<NodeId> batch = batch_gathers(workload);
  measure_place(batch, static_cast<std::int64_t>(batch.size()) / kBatchRounds, workload.width(),
                caches, ceilings.at(Place::kBatch));
  measure_product(caches, ceilings.product);
}

void CudaDevice::measure_place(std::span<const NodeId> rows, std::int64_t num_rows,
                               std::int64_t width, CacheState caches, MemoryCeilings& at) {
  if (num_rows * width == 0 || rows.empty()) return;
  const DeviceTable a(num_rows, width, memory());
  const DeviceTable b(num_rows, width, memory());
  const cuda::DeviceArray<NodeId> ids = cuda::to_device(rows, memory());
  const cuda::DeviceArray<float> sums(cuda::ceil_div(ids.size(), cuda::kGatherRun) * a.stride(),
                                      memory());
  const cuda::StreamTask task{.from = cuda::as_vectors(a.data()),
                              .to = cuda::as_vectors(b.data()),
                              .count = a.size() / cuda::kVector};
  const cuda::Launcher launch(queue());
  const double bytes = 4.0 * static_cast<double>(a.size());
  measure(at.read, bytes, rival_timer_, caches, [&] { cuda::run_read_stream(launch, task); });
  measure(at.update, 2.0 * bytes, rival_timer_, caches,
          [&] { cuda::run_update_stream(launch, task); });
  measure(at.triad, 3.0 * bytes, rival_timer_, caches,
          [&] { cuda::run_triad_stream(launch, task); });
  measure(at.copy, 2.0 * bytes, rival_timer_, caches, [&] {
    cuda::check(cudaMemcpyAsync(b.data(), a.data(), static_cast<std::size_t>(bytes),
                                cudaMemcpyDeviceToDevice, stream_.get()));
  });
  const double gathered = 4.0 * static_cast<double>(ids.size()) * static_cast<double>(width);
  measure(at.gather, gathered, rival_timer_, caches, [&] {
    cuda::run_gather_rows(
        launch,
        {.table = a.read_only(), .ids = ids.data(), .count = ids.size(), .sums = sums.data()});
  });
}

void CudaDevice::measure_product(CacheState caches, Ceiling& ceiling) {
  constexpr std::int64_t kSize = 8192;
  constexpr std::int64_t kElements = kSize * kSize;
  cuda::DeviceArray<float> a(kElements, memory());
  cuda::DeviceArray<float> b(kElements, memory());
  const cuda::DeviceArray<float> c(kElements, memory());
  a.fill_bytes(0x3e);  // floats of about 0.19: zeros draw less power and run faster
  b.fill_bytes(0x3e);
  const float one = 1.0F;
  const float zero = 0.0F;
  const double flops = 2.0 * static_cast<double>(kSize) * static_cast<double>(kElements);
  measure(ceiling, flops, rival_timer_, caches, [&] {
    cuda::check(cublasSgemm_64(cublas(), CUBLAS_OP_T, CUBLAS_OP_N, kSize, kSize, kSize, &one,
                               a.data(), kSize, b.data(), kSize, &zero, c.data(), kSize));
  });
}

}  // namespace tern::bench
