#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "bench/support/device.hpp"
#include "bench/support/workload.hpp"
#include "cuda/support/launch.hpp"
#include "cuda/support/resources.hpp"

namespace tern::bench {

/// Times the work on one stream by events around it. Cold caches: a buffer of twice the L2 is
/// written before, on the same stream, so that the host is ahead of the device when the run begins.
class StreamTimer final : public Timer {
 public:
  StreamTimer(std::int64_t evicted_bytes, const cuda::Memory& memory);
  void evict() override;
  double seconds(const std::function<void()>& work) override;

 private:
  cudaStream_t stream_;
  cuda::DeviceArray<std::uint8_t> buffer_;
  cuda::Event begin_;
  cuda::Event end_;
};

/// Times work of the backend by the backend's own events; the buffer is a matrix of the backend.
class BackendTimer final : public Timer {
 public:
  BackendTimer(std::int64_t evicted_bytes, Backend& backend);
  void evict() override;
  double seconds(const std::function<void()>& work) override { return backend_.seconds(work); }

 private:
  Backend& backend_;
  Matrix buffer_;
};

/// The GPU of a backend "cuda:N". Rivals have a stream and a pool of their own on it, so that they
/// need no access to the backend's internals.
class CudaDevice final : public Device {
 public:
  /// Makes the device the calling thread's current one, for good. Throws DeviceError.
  explicit CudaDevice(Backend& backend);

  void measure_ceilings(const Workload& workload, CacheState caches, Ceilings& ceilings) override;
  Timer& backend_timer() override { return backend_timer_; }
  Timer& rival_timer() override { return rival_timer_; }

  cuda::Memory memory() const { return {pool_.get(), stream_.get()}; }
  cuda::Queue queue() const { return {stream_.get(), properties_.multiProcessorCount}; }
  /// f32 without TF32, on the rivals' stream.
  cublasHandle_t cublas();

 private:
  void measure_place(std::span<const NodeId> rows, std::int64_t num_rows, std::int64_t width,
                     CacheState caches, MemoryCeilings& at);
  void measure_product(CacheState caches, Ceiling& ceiling);

  int index_;
  cudaDeviceProp properties_;
  cuda::MemoryPool pool_;
  cuda::Stream stream_;
  cuda::CublasHandle cublas_;
  StreamTimer rival_timer_;
  BackendTimer backend_timer_;
};

/// The workload's device; only for cases that run on a GPU.
inline CudaDevice& cuda_device(const Workload& workload) {
  return static_cast<CudaDevice&>(workload.device());
}

}  // namespace tern::bench
