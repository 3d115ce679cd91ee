#include <algorithm>
#include <utility>

#include "cuda/backend.hpp"
#include "host/backend/checks.hpp"

// Recorded steps. The first replay runs the step as it is: this loads the kernels, lets workspaces
// grow, and counts the calls of next_batch. The second captures the step into a CUDA graph, and
// from then on a replay is one launch. A graph cannot begin a window of batches, so a replay that
// needs a new window runs the step as it is; so does every replay of a backend that waits after each
// launch. In all of them some ops wait for those after them, to share a launch.

namespace tern::cuda {
namespace {

/// Sets a value for the length of a scope.
template <typename T>
class Setting {
 public:
  Setting(T& place, T value) : place_(place), former_(std::exchange(place, value)) {}
  ~Setting() { place_ = former_; }
  Setting(const Setting&) = delete;
  Setting& operator=(const Setting&) = delete;

 private:
  T& place_;
  T former_;
};

}  // namespace

std::unique_ptr<Recording> CudaBackend::record(std::function<void()> step) {
  check_record(step);
  expect_not_recording("record");
  return std::make_unique<CudaRecording>(*this, std::move(step));
}

void CudaRecording::note_next_batch(TripletsStorage& triplets) {
  if (capturing_ || ran_) return;  // counted in the first run
  const auto known = std::ranges::find(progress_, &triplets, &Progress::triplets);
  if (known != progress_.end()) {
    ++known->batches;
  } else {
    progress_.push_back({&triplets, 1});
  }
}

void CudaRecording::run() {
  const Setting<CudaRecording*> running(backend_.recording_, this);
  drop_pending();
  step_();
  (void)backend_.queue();  // launches what still waits
}

/// Whether all batches that a replay moves to are planned.
bool CudaRecording::planned() const {
  return std::ranges::all_of(progress_, [](const Progress& progress) {
    return progress.triplets->plans_next(progress.batches);
  });
}

void CudaRecording::capture() {
  const cudaStream_t stream = backend_.stream_.get();
  // Only calls of this thread are captured; other threads may use the device meanwhile.
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  cudaGraph_t captured = nullptr;
  try {
    const Setting<bool> capturing(capturing_, true);
    run();
  } catch (...) {
    (void)cudaStreamEndCapture(stream, &captured);
    const CapturedGraph dropped(captured);
    (void)cudaGetLastError();
    throw;
  }
  check(cudaStreamEndCapture(stream, &captured));
  const CapturedGraph owner(captured);
  cudaGraphExec_t executable = nullptr;
  check(cudaGraphInstantiate(&executable, captured, 0));
  graph_ = ExecutableGraph(executable);
  check(cudaGraphGetNodes(captured, nullptr, &num_nodes_));
}

void CudaRecording::replay() {
  const Range range("replay");
  backend_.expect_not_recording("replay");
  const DeviceScope scope = backend_.use_device();
  if (!ran_) {
    progress_.clear();  // an earlier first run may have failed half-way
    run();
    ran_ = true;
    return;
  }
  if (!planned() || backend_.options_.synchronous) {
    run();
    return;
  }
  if (graph_ == nullptr) capture();
  check(cudaGraphLaunch(graph_.get(), backend_.stream_.get()));
  for (const Progress& progress : progress_) {
    TripletsStorage& triplets = *progress.triplets;
    triplets.batch = (triplets.batch + progress.batches) % triplets.num_batches;
  }
}

}  // namespace tern::cuda
