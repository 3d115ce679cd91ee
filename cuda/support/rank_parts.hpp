#pragma once

#include <cstdint>
#include <mutex>

#include "cuda/support/launch.hpp"
#include "cuda/support/nccl.hpp"
#include "host/backend/rank_group.hpp"

namespace tern::cuda {

/// The GPUs of all ranks, each of which has a part of the columns. An op computes a part of each of its sums, has
/// the parts of all ranks gathered, and adds them by itself in ascending order of the ranks: the same bits on
/// every rank and in every run, whatever way NCCL takes.
///
/// If a rank is lost, a thread of the group ends what this rank's GPU waits for; the results are then of no use.
class RankParts {
 public:
  /// Connects the GPUs, on the current device; all ranks call it. The group must outlive the object. Throws
  /// DeviceError, and Error if a rank is lost.
  RankParts(RankGroup& group, const NcclApi& api);
  RankParts(const RankParts&) = delete;
  RankParts& operator=(const RankParts&) = delete;
  /// All graphs that gather have been destroyed before.
  ~RankParts();

  int rank() const { return group_.rank(); }
  int size() const { return group_.size(); }

  /// all: (size(), count) on the device, of which row rank() is there: fills the others. All ranks call it in the
  /// same order on one stream, and may record it.
  template <typename T>
  void gather(const Queue& queue, T* all, std::int64_t count) {
    gather_bytes(queue, reinterpret_cast<char*>(all), count * static_cast<std::int64_t>(sizeof(T)));
  }

  /// Waits for the stream, while it looks after the connections. Throws Error if a rank is lost.
  void wait(cudaStream_t stream);

 private:
  void gather_bytes(const Queue& queue, char* all, std::int64_t bytes);
  void stop();
  [[noreturn]] void throw_failed(NcclResult result);

  RankGroup& group_;
  NcclApi api_;
  /// Between calls of NCCL and stop(), which must not wait for long: the call may hang.
  std::timed_mutex mutex_;
  NcclComm comm_ = nullptr;  // null: stopped
  int exceptions_;           // in flight when the object was made
};

}  // namespace tern::cuda
