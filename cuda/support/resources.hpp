#pragma once

#include <cublas_v2.h>
#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>

#include "cuda/support/error.hpp"

namespace tern::cuda {

// Owners of CUDA's handles and memory. Each is destroyed on the device that it was created on, even
// if another device is current then. Destructors never throw: a failed device reports its failure
// again at the next call.

namespace detail {
/// The calling thread's current device; 0 if there is none.
inline int current_device() noexcept {
  int device = 0;
  return cudaGetDevice(&device) == cudaSuccess ? device : 0;
}

/// Calls destroy() with a device as the current one.
template <typename Destroy>
void destroy_on(int device, const Destroy& destroy) noexcept {
  const int former = current_device();
  if (former != device) (void)cudaSetDevice(device);
  destroy();
  if (former != device) (void)cudaSetDevice(former);
}

inline void destroy(cudaStream_t stream) noexcept {
  (void)cudaStreamDestroy(stream);
}
inline void destroy(cudaEvent_t event) noexcept {
  (void)cudaEventDestroy(event);
}
inline void destroy(cudaGraph_t graph) noexcept {
  (void)cudaGraphDestroy(graph);
}
inline void destroy(cudaGraphExec_t graph) noexcept {
  (void)cudaGraphExecDestroy(graph);
}
inline void destroy(cudaMemPool_t pool) noexcept {
  (void)cudaMemPoolDestroy(pool);
}
inline void destroy(cublasHandle_t handle) noexcept {
  (void)cublasDestroy(handle);
}

struct Destroy {
  int device = current_device();  // when the owner gets its handle

  template <typename Handle>
  void operator()(Handle handle) const noexcept {
    destroy_on(device, [&] { destroy(handle); });
  }
};
}  // namespace detail

/// An owned handle of CUDA's; every one of them is a pointer. A new handle is assigned as a new
/// owner, never by reset(), which would keep the device of the old one.
template <typename Handle>
using Unique = std::unique_ptr<std::remove_pointer_t<Handle>, detail::Destroy>;

using Stream = Unique<cudaStream_t>;
using Event = Unique<cudaEvent_t>;
using CapturedGraph = Unique<cudaGraph_t>;
using ExecutableGraph = Unique<cudaGraphExec_t>;
using MemoryPool = Unique<cudaMemPool_t>;
using CublasHandle = Unique<cublasHandle_t>;

/// A stream that does not wait for the default stream.
Stream make_stream();
Event make_event();
CublasHandle make_cublas(cudaStream_t stream);

/// Makes a device the calling thread's current one; the destructor restores the former one.
class DeviceScope {
 public:
  explicit DeviceScope(int device) {
    check(cudaGetDevice(&former_));
    changed_ = former_ != device;
    if (changed_) check(cudaSetDevice(device));
  }
  ~DeviceScope() {
    if (changed_) (void)cudaSetDevice(former_);
  }
  DeviceScope(const DeviceScope&) = delete;
  DeviceScope& operator=(const DeviceScope&) = delete;

 private:
  int former_ = 0;
  bool changed_ = false;
};

/// A pool on a device that keeps freed memory, so that allocating it again costs nothing. Null on
/// devices without pools (virtual GPUs, Windows' display driver).
MemoryPool make_pool(int device);

/// The source of arrays: a pool of the current device, in the order of a stream. Without a pool:
/// cudaMalloc.
struct Memory {
  cudaMemPool_t pool = nullptr;
  cudaStream_t stream = nullptr;
};

/// Throws MemoryError with the needed and the free bytes if memory is short.
void* allocate_bytes(std::size_t bytes, const Memory& memory);
void free_bytes(void* data, const Memory& memory) noexcept;

/// values = from[0 .. values.size()) of device memory. Waits for the work before it.
template <typename T>
void download_from(const T* from, std::span<T> values, cudaStream_t stream) {
  if (values.empty()) return;
  check(cudaMemcpyAsync(values.data(), from, values.size_bytes(), cudaMemcpyDeviceToHost, stream));
  check(cudaStreamSynchronize(stream));
}

/// An owned array in device memory, allocated and freed in the order of a stream; 256-byte aligned,
/// its content undefined at first.
template <typename T>
class DeviceArray {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  DeviceArray() = default;
  DeviceArray(std::int64_t size, const Memory& memory)
      : data_(size == 0 ? nullptr
                        : static_cast<T*>(
                              allocate_bytes(static_cast<std::size_t>(size) * sizeof(T), memory)),
              Free{memory}),
        size_(size) {}

  T* data() const noexcept { return data_.get(); }
  std::int64_t size() const noexcept { return size_; }
  std::size_t bytes() const noexcept { return static_cast<std::size_t>(size_) * sizeof(T); }

  void zero() { fill_bytes(0); }
  void fill_bytes(int byte) {
    if (size_ > 0) check(cudaMemsetAsync(data(), byte, bytes(), stream()));
  }
  /// Waits, so that the caller may change the values at once. values.size() <= size().
  void upload(std::span<const T> values) {
    if (values.empty()) return;
    check(cudaMemcpyAsync(data(), values.data(), values.size_bytes(), cudaMemcpyHostToDevice,
                          stream()));
    check(cudaStreamSynchronize(stream()));
  }
  /// Waits for the work before it. values.size() <= size().
  void download(std::span<T> values) const {
    if (!values.empty()) download_from<T>(data(), values, stream());
  }

 private:
  struct Free {
    Memory memory;
    int device = detail::current_device();
    void operator()(T* data) const noexcept {
      detail::destroy_on(device, [&] { free_bytes(data, memory); });
    }
  };
  cudaStream_t stream() const noexcept { return data_.get_deleter().memory.stream; }

  std::unique_ptr<T, Free> data_;
  std::int64_t size_ = 0;
};

/// An array with the host's values in it.
template <typename T>
DeviceArray<T> to_device(std::span<const T> values, const Memory& memory) {
  DeviceArray<T> array(static_cast<std::int64_t>(values.size()), memory);
  array.upload(values);
  return array;
}

}  // namespace tern::cuda
