// Streams, events, captured graphs and launches of the emulated runtime.
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "runtime.hpp"
#include "simt/runtime/api.hpp"
#include "simt/simt.hpp"
#include "symbols.hpp"

namespace simt::runtime {
namespace {

struct Streams {
  std::mutex mutex;
  std::set<cudaStream_t> live;
};
Streams& streams() {
  static Streams instance;
  return instance;
}

void run(CUstream_st& stream, const Work& work) {
  try {
    work();
  } catch (const Error&) {
    stream.failed = true;
    if (device_at(stream.device).on_fault == OnFault::thrown) throw;
  } catch (...) {
    stream.failed = true;
    throw;
  }
}

/// Does the pending work. After a fault the rest is dropped.
void catch_up(CUstream_st& stream) {
  while (!stream.pending.empty() && !stream.failed) {
    const Work work = std::move(stream.pending.front());
    stream.pending.pop_front();
    run(stream, work);
  }
  stream.pending.clear();
}

bool is_late(const CUstream_st& stream) {
  return device_at(stream.device).timing == Timing::late;
}

bool fits(const cudaLaunchConfig_t& config) {
  const dim3& grid = config.gridDim;
  const dim3& block = config.blockDim;
  return grid.x > 0 && grid.y > 0 && grid.z > 0 && grid.x <= 0x7fffffffu && grid.y <= 65535 &&
         grid.z <= 65535 && block.x > 0 && block.y > 0 && block.z > 0 && block.z <= 64 &&
         std::uint64_t{block.x} * block.y * block.z <= 1024 &&
         config.dynamicSmemBytes <= kMaxSharedBytes;
}

}  // namespace

bool is_stream(cudaStream_t stream) {
  Streams& all = streams();
  const std::lock_guard lock(all.mutex);
  return all.live.contains(stream);
}

bool is_capturing(cudaStream_t stream) {
  return stream->captured != nullptr;
}

namespace {
std::vector<cudaStream_t> streams_of(int device) {
  Streams& all = streams();
  const std::lock_guard lock(all.mutex);
  std::vector<cudaStream_t> found;
  for (const cudaStream_t stream : all.live) {
    if (stream->device == device) found.push_back(stream);
  }
  return found;
}
}  // namespace

void catch_up_all(int device) {
  for (const cudaStream_t stream : streams_of(device)) catch_up(*stream);
}

bool break_captures(int device) {
  bool found = false;
  for (const cudaStream_t stream : streams_of(device)) {
    if (!is_capturing(stream)) continue;
    stream->capture_broken = true;
    found = true;
  }
  return found;
}

namespace {

cudaError_t submit_node(cudaStream_t stream, Node node) {
  if (!is_stream(stream)) return report(cudaErrorInvalidResourceHandle);
  if (stream->failed) return report(cudaErrorLaunchFailure);
  if (is_capturing(stream)) {
    stream->captured->push_back(std::move(node));
  } else if (is_late(*stream)) {
    stream->pending.push_back(std::move(node.work));
  } else {
    run(*stream, node.work);
  }
  return cudaSuccess;
}

bool is_on_other_device(cudaStream_t stream) {
  return is_stream(stream) && stream->device != current_device();
}

}  // namespace

cudaError_t submit(cudaStream_t stream, Work work) {
  return submit_node(stream, {std::move(work), std::nullopt});
}

cudaError_t submit_kernels(cudaStream_t stream, Work work) {
  if (is_on_other_device(stream)) return report(cudaErrorInvalidResourceHandle);
  return submit(stream, std::move(work));
}

cudaError_t launch(const cudaLaunchConfig_t& config, Closure kernel) {
  if (!fits(config)) return report(cudaErrorInvalidConfiguration);
  if (is_on_other_device(config.stream)) return report(cudaErrorInvalidResourceHandle);
  const CapturedLaunch shape{config.gridDim, config.blockDim, config.dynamicSmemBytes};
  Work work = [config, kernel = std::move(kernel)] {
    CUstream_st& stream = *config.stream;
    const Device device = device_at(stream.device);
    Options options{.seed = device.seed, .workers = device.workers};
    if (device.order == LaunchOrder::other) options.seed += 0x9e3779b9u * ++stream.launches;
    detail::launch(config.gridDim, config.blockDim, config.dynamicSmemBytes, options,
                   {kernel.object.get(), kernel.call});
  };
  return submit_node(config.stream, {std::move(work), shape});
}

}  // namespace simt::runtime

std::vector<simt::CapturedLaunch> simt::launches_of(cudaGraph_t graph) {
  std::vector<CapturedLaunch> launches;
  for (const runtime::Node& node : *graph->nodes) {
    if (node.launch.has_value()) launches.push_back(*node.launch);
  }
  return launches;
}

using simt::runtime::report;

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  using namespace simt::runtime;
  if (device_count() == 0) return report(cudaErrorNoDevice);
  *stream = new CUstream_st;
  (*stream)->device = current_device();
  Streams& all = streams();
  const std::lock_guard lock(all.mutex);
  all.live.insert(*stream);
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  using namespace simt::runtime;
  if (!is_stream(stream)) return report(cudaErrorInvalidResourceHandle);
  if (destroyable(stream->device) != cudaSuccess) return cudaErrorInvalidResourceHandle;
  catch_up(*stream);
  Streams& all = streams();
  const std::lock_guard lock(all.mutex);
  all.live.erase(stream);
  delete stream;
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  using namespace simt::runtime;
  if (!is_stream(stream)) return report(cudaErrorInvalidResourceHandle);
  if (is_capturing(stream)) {
    stream->capture_broken = true;
    return report(cudaErrorStreamCaptureUnsupported);
  }
  if (stream->failed) return report(cudaErrorLaunchFailure);
  catch_up(*stream);
  return stream->failed ? report(cudaErrorLaunchFailure) : cudaSuccess;
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
  return cudaStreamSynchronize(stream);
}

cudaError_t cudaEventCreate(cudaEvent_t* event) {
  *event = new CUevent_st;
  (*event)->device = simt::runtime::current_device();
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  const cudaError_t status = simt::runtime::destroyable(event->device);
  if (status == cudaSuccess) delete event;
  return status;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  event->time.reset();
  event->stream = stream;
  return simt::runtime::submit(stream, [event] { event->time = std::chrono::steady_clock::now(); });
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  return event->stream == nullptr ? cudaSuccess : cudaStreamSynchronize(event->stream);
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end) {
  if (begin->stream == nullptr || end->stream == nullptr) {
    return report(cudaErrorInvalidResourceHandle);
  }
  if (!begin->time || !end->time) return report(cudaErrorNotReady);
  *milliseconds = std::chrono::duration<float, std::milli>(*end->time - *begin->time).count();
  return cudaSuccess;
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void*) {
  using namespace simt::runtime;
  if (device_count() == 0) return report(cudaErrorNoDevice);
  *attributes = {.maxThreadsPerBlock = 1024};
  return report(device_at(current_device()).code);
}

cudaError_t cudaFuncGetName(const char** name, const void* kernel) {
  static std::mutex mutex;
  static std::map<const void*, std::string> names;  // the caller keeps a pointer
  const std::lock_guard lock(mutex);
  auto known = names.find(kernel);
  if (known == names.end()) {
    const std::string found = simt::detail::source_line(static_cast<const char*>(kernel) + 1);
    known = names.emplace(kernel, found.substr(0, found.find(" at "))).first;
  }
  *name = known->second.c_str();
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  using namespace simt::runtime;
  if (!is_stream(stream)) return report(cudaErrorInvalidResourceHandle);
  if (is_capturing(stream)) return report(cudaErrorIllegalState);
  stream->captured = std::make_unique<Nodes>();
  stream->capture_broken = false;
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  using namespace simt::runtime;
  *graph = nullptr;
  if (!is_stream(stream)) return report(cudaErrorInvalidResourceHandle);
  if (!is_capturing(stream)) return report(cudaErrorIllegalState);
  const std::unique_ptr<Nodes> nodes = std::move(stream->captured);
  if (stream->capture_broken) return report(cudaErrorStreamCaptureInvalidated);
  *graph = new CUgraph_st{std::make_shared<const Nodes>(std::move(*nodes))};
  return cudaSuccess;
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, std::size_t* count) {
  if (graph == nullptr || nodes != nullptr) return report(cudaErrorInvalidValue);
  *count = graph->nodes->size();
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph,
                                 unsigned long long) {
  if (graph == nullptr) return report(cudaErrorInvalidValue);
  *executable = new CUgraphExec_st{simt::runtime::current_device(), graph->nodes};
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  const cudaError_t status = simt::runtime::destroyable(executable->device);
  if (status == cudaSuccess) delete executable;
  return status;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  if (executable == nullptr) return report(cudaErrorInvalidValue);
  return simt::runtime::submit(stream, [nodes = executable->nodes] {
    for (const simt::runtime::Node& node : *nodes) node.work();
  });
}
