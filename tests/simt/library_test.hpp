#pragma once

#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

#include "simt/runtime/device.hpp"

namespace simt {

/// A late device, a stream, and arrays on it that live as long as the test.
class LibraryTest : public testing::Test {
 protected:
  LibraryTest() {
    set_devices({{.timing = Timing::late}});
    EXPECT_EQ(cudaStreamCreateWithFlags(&stream_, 0), cudaSuccess);
    const cudaMemPoolProps properties{};
    EXPECT_EQ(cudaMemPoolCreate(&pool_, &properties), cudaSuccess);
  }
  ~LibraryTest() override {
    for (void* data : owned_) EXPECT_EQ(cudaFreeAsync(data, stream_), cudaSuccess);
    EXPECT_EQ(cudaStreamDestroy(stream_), cudaSuccess);
    EXPECT_EQ(cudaMemPoolDestroy(pool_), cudaSuccess);
    set_devices({});
  }

  void* allocate_bytes(std::size_t bytes) {
    void* data = nullptr;
    EXPECT_EQ(cudaMallocFromPoolAsync(&data, bytes, pool_, stream_), cudaSuccess);
    owned_.push_back(data);
    return data;
  }
  template <class T>
  T* allocate(std::size_t count) {
    return static_cast<T*>(allocate_bytes(count * sizeof(T)));
  }
  template <class T>
  T* to_device(const std::vector<T>& values) {
    T* data = allocate<T>(values.size());
    EXPECT_EQ(cudaMemcpyAsync(data, values.data(), values.size() * sizeof(T),
                              cudaMemcpyHostToDevice, stream_),
              cudaSuccess);
    EXPECT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
    return data;
  }
  template <class T>
  std::vector<T> to_host(const T* data, std::size_t count) {
    std::vector<T> values(count);
    EXPECT_EQ(
        cudaMemcpyAsync(values.data(), data, count * sizeof(T), cudaMemcpyDeviceToHost, stream_),
        cudaSuccess);
    EXPECT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
    return values;
  }

  cudaStream_t stream_ = nullptr;
  cudaMemPool_t pool_ = nullptr;
  std::vector<void*> owned_;
};

}  // namespace simt
