// How the emulated runtime, and the libraries emulated over it, put work on streams.
#pragma once

#include <cstddef>
#include <functional>
#include <initializer_list>
#include <memory>

#include "simt/runtime/types.hpp"

namespace simt::runtime {

/// Runs the work in the order of the stream or, while the stream is captured, keeps it for the
/// graph. The work must hold its data by value. A fault in a kernel is thrown as simt::Error, from
/// here or from a later wait for the stream; the stream then fails for good.
cudaError_t submit(cudaStream_t stream, std::function<void()> work);
/// As submit, for work that a GPU does in kernels: refuses a stream of a device other than the
/// calling thread's current one. (Copies and frees may use any.)
cudaError_t submit_kernels(cudaStream_t stream, std::function<void()> work);

/// Whether a graph is being captured from the stream.
bool is_capturing(cudaStream_t stream);

/// Bytes that a call may access.
struct Range {
  const void* begin = nullptr;
  std::size_t bytes = 0;
};
/// Whether all bytes belong to one allocation on a device.
bool on_device(Range range);
/// Whether any byte does.
bool touches_device(Range range);
bool overlap(Range a, Range b);

/// Keeps the failure for cudaGetLastError, and returns it.
cudaError_t report(cudaError_t status);

/// A kernel and its arguments, by value.
struct Closure {
  std::shared_ptr<const void> object;
  void (*call)(const void*);
};
cudaError_t launch(const cudaLaunchConfig_t& config, Closure kernel);

}  // namespace simt::runtime
