#include "cuda/support/rank_parts.hpp"

#include <chrono>
#include <exception>
#include <future>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <utility>

#include "host/support/clock.hpp"
#include "tern/error.hpp"

namespace tern::cuda {
namespace {

/// Ranks end within ten seconds of a loss, of which seven may pass before it is found.
constexpr std::chrono::seconds kForACall{1};

/// How long the reason for a failure may take.
constexpr std::chrono::seconds kForTheReason{1};

/// Between two looks for a loss while all ranks join.
constexpr std::chrono::milliseconds kBetweenCalls{20};

/// Between two looks at a stream: short beside a transfer to the host, long beside a look.
constexpr std::chrono::microseconds kBetweenLooks{20};

/// Joins the communicator of all ranks. NCCL waits for them, and one that is lost now may never come: a thread
/// then goes on to wait, until the end of the process.
NcclResult join(RankGroup& group, const NcclApi& api, const NcclUniqueId& id, NcclComm& comm) {
  const auto made = std::make_shared<NcclComm>();
  int device = 0;
  check(cudaGetDevice(&device));
  std::promise<NcclResult> result;
  std::future<NcclResult> joined = result.get_future();
  std::thread([made, id, device, api, ranks = group.size(), rank = group.rank(),
               result = std::move(result)]() mutable {
    const bool chosen = cudaSetDevice(device) == cudaSuccess;
    result.set_value(chosen ? api.comm_init_rank(made.get(), ranks, id, rank)
                            : NcclResult::kInvalidUsage);
  }).detach();
  while (joined.wait_for(kBetweenCalls) != std::future_status::ready) group.expect_all();
  const NcclResult found = joined.get();
  comm = *made;
  return found;
}

}  // namespace

RankParts::RankParts(RankGroup& group, const NcclApi& api)
    : group_(group), api_(api), exceptions_(std::uncaught_exceptions()) {
  NcclUniqueId id{};
  if (rank() == 0) {
    const NcclResult made = api_.get_unique_id(&id);
    if (made != NcclResult::kSuccess) throw_failed(made);
  }
  group_.broadcast(std::as_writable_bytes(std::span(id.internal)), 0);
  const NcclResult joined = join(group, api_, id, comm_);
  if (joined != NcclResult::kSuccess) throw_failed(joined);
  group_.on_loss([this] { stop(); });
}

RankParts::~RankParts() {
  group_.on_loss(nullptr);
  if (comm_ == nullptr) return;
  // To destroy waits for what is under way. This rank fails, so the others may never come to it.
  (void)(std::uncaught_exceptions() > exceptions_ ? api_.comm_abort(comm_)
                                                  : api_.comm_destroy(comm_));
}

void RankParts::stop() {
  const std::unique_lock lock(mutex_, kForACall);
  if (NcclComm comm = std::exchange(comm_, nullptr); comm != nullptr) (void)api_.comm_abort(comm);
}

void RankParts::throw_failed(NcclResult result) {
  // The reason may be a lost rank, whose connection breaks here first.
  for (const auto end = Clock::now() + kForTheReason; Clock::now() < end;) {
    group_.expect_all();
    std::this_thread::sleep_for(kForTheReason / 20);
  }
  throw DeviceError(std::string("NCCL reports: ") + api_.get_error_string(result));
}

void RankParts::gather_bytes(const Queue& queue, char* all, std::int64_t bytes) {
  NcclResult result = NcclResult::kInvalidUsage;  // of a communicator that has been stopped
  {
    const std::unique_lock lock(mutex_);
    // In place: the own row lies where it belongs.
    if (comm_ != nullptr) {
      result = api_.all_gather(all + rank() * bytes, all, static_cast<std::size_t>(bytes),
                               NcclType::kInt8, comm_, queue.stream);
    }
  }
  if (result != NcclResult::kSuccess) throw_failed(result);
  check_launches(queue, cudaGetLastError());
}

void RankParts::wait(cudaStream_t stream) {
  for (;;) {
    const cudaError_t state = cudaStreamQuery(stream);
    if (state != cudaErrorNotReady) {
      group_.expect_all();
      return check(state);
    }
    NcclResult error = NcclResult::kSuccess;
    {
      const std::unique_lock lock(mutex_);
      if (comm_ != nullptr) (void)api_.comm_get_async_error(comm_, &error);
    }
    if (error != NcclResult::kSuccess && error != NcclResult::kInProgress) throw_failed(error);
    std::this_thread::sleep_for(kBetweenLooks);
  }
}

}  // namespace tern::cuda
