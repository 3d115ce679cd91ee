// The emulated runtime's data behind its handles.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "simt/runtime/device.hpp"
#include "simt/runtime/graph.hpp"
#include "simt/runtime/types.hpp"
#include "simt/runtime/work.hpp"

namespace simt::runtime {

using Work = std::function<void()>;

/// One piece of captured work; a kernel launch keeps its shape.
struct Node {
  Work work;
  std::optional<CapturedLaunch> launch;
};
using Nodes = std::vector<Node>;

/// Throws std::out_of_range if there is no such device.
Device device_at(int device);
int device_count();
int current_device();

/// Whether the handle is an existing stream.
bool is_stream(cudaStream_t stream);

/// Does the pending work of all streams of the device.
void catch_up_all(int device);
/// Breaks all captures on the device, as a call does that must not be captured; false: there is none.
bool break_captures(int device);

/// cudaSuccess if a handle of the device may be destroyed now. CUDA asks for the handle's device to be
/// current for some handles only; here for all, so that owners keep to it.
inline cudaError_t destroyable(int device) {
  return device == current_device() ? cudaSuccess : report(cudaErrorInvalidResourceHandle);
}

}  // namespace simt::runtime

struct CUstream_st {
  int device = 0;
  std::uint64_t launches = 0;
  std::deque<simt::runtime::Work> pending;
  std::unique_ptr<simt::runtime::Nodes> captured;  // while a graph is being captured
  bool capture_broken = false;
  bool failed = false;
};
struct CUevent_st {
  int device = 0;
  std::optional<std::chrono::steady_clock::time_point> time;
  cudaStream_t stream = nullptr;  // in which it was last recorded
};
struct CUgraph_st {
  std::shared_ptr<const simt::runtime::Nodes> nodes;
};
struct CUgraphExec_st {
  int device = 0;
  std::shared_ptr<const simt::runtime::Nodes> nodes;
};
struct CUmemPoolHandle_st {
  int device = 0;
};
