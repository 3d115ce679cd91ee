#pragma once

#include <vector>

#include "cuda/support/launch.hpp"
#include "cuda/support/resources.hpp"
#include "simt/runtime/device.hpp"
#include "simt/runtime/graph.hpp"

namespace tern::test {

/// A stream of an emulated device, to launch kernels without a backend. A launch returns when its
/// kernel is done.
class DeviceQueue {
 public:
  explicit DeviceQueue(int multiprocessors = 2) : multiprocessors_(multiprocessors) {
    simt::set_devices({{.multiprocessors = multiprocessors}});
    stream_ = cuda::make_stream();
  }
  operator cuda::Queue() const { return {stream_.get(), multiprocessors_}; }

  /// The shapes of the launches in `work`. None of them runs.
  template <typename Work>
  std::vector<simt::CapturedLaunch> shapes_of(Work&& work) const {
    cuda::check(cudaStreamBeginCapture(stream_.get(), cudaStreamCaptureModeThreadLocal));
    work();
    cudaGraph_t captured = nullptr;
    cuda::check(cudaStreamEndCapture(stream_.get(), &captured));
    const cuda::CapturedGraph owner(captured);
    return simt::launches_of(captured);
  }

 private:
  int multiprocessors_;
  cuda::Stream stream_;
};

}  // namespace tern::test
