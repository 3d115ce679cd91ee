#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>

#include "cuda/support/error.hpp"

namespace tern::cuda {

/// An owned array in page-locked host memory: copies between it and the device run beside the
/// host's work. Who writes it must know that the last copy from it is done. Undefined at first.
template <typename T>
class PinnedArray {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  PinnedArray() = default;
  explicit PinnedArray(std::int64_t size) : size_(size) {
    if (size == 0) return;
    void* data = nullptr;
    check(cudaMallocHost(&data, static_cast<std::size_t>(size) * sizeof(T)));
    data_.reset(static_cast<T*>(data));
  }

  T* data() const noexcept { return data_.get(); }
  std::int64_t size() const noexcept { return size_; }
  std::span<T> span() const noexcept { return {data(), static_cast<std::size_t>(size_)}; }

 private:
  struct Free {
    void operator()(T* data) const noexcept { (void)cudaFreeHost(data); }
  };
  std::unique_ptr<T, Free> data_;
  std::int64_t size_ = 0;
};

}  // namespace tern::cuda
