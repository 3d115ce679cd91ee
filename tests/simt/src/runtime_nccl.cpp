// NCCL between emulated devices. Its ranks are threads; each carries out its own streams, and a collective
// is done when the last rank has come to it.
#include "nccl.h"

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "runtime.hpp"
#include "simt/runtime/nccl.hpp"
#include "simt/simt.hpp"

namespace simt::runtime {

/// A collective as one rank has called it.
struct Gather {
  const char* own = nullptr;
  char* all = nullptr;
  std::size_t bytes = 0;
  bool captured = false;
};

/// The ranks that have one id.
struct Clique {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<int> devices;     // by rank; -1: not there yet
  std::vector<Gather> gathers;  // by rank, of the collective under way
  std::vector<bool> arrived;
  std::vector<bool> left;  // has destroyed its communicator
  int joined = 0;
  bool refused = false;
  int waiting = 0;
  std::uint64_t done = 0;  // collectives
  std::string fault;       // empty: none
};

/// A rank of a clique; captured work keeps it alive.
struct Member {
  std::shared_ptr<Clique> clique;
  int rank = 0;
  cudaStream_t stream = nullptr;  // of all of its collectives
  bool aborted = false;           // with the mutex of the clique
  bool destroyed = false;
};

namespace {

std::atomic<std::size_t>& exchanged() {
  static std::atomic<std::size_t> bytes{0};
  return bytes;
}

std::atomic<int>& waiting() {
  static std::atomic<int> ranks{0};
  return ranks;
}

[[noreturn]] void throw_fault(const std::string& what) {
  throw Error(Fault::bad_collective, {}, {}, "NCCL: " + what);
}

/// Ends the collective on every rank with the same report.
[[noreturn]] void break_clique(Clique& clique, const std::string& what) {
  clique.fault = what;
  clique.changed.notify_all();
  throw_fault(what);
}

std::string describe(const Gather& gather) {
  return std::to_string(gather.bytes) + " bytes" + (gather.captured ? " from a graph" : "");
}

/// What a rank does that another one does not expect; empty: they fit.
std::string mismatch(int rank, const Gather& gather, int other, const Gather& others) {
  if (gather.bytes == others.bytes && gather.captured == others.captured) return "";
  return "rank " + std::to_string(rank) + " gathers " + describe(gather) + " while rank " +
         std::to_string(other) + " gathers " + describe(others);
}

void move_blocks(Clique& clique) {
  const std::size_t ranks = clique.gathers.size();
  for (std::size_t from = 0; from < ranks; ++from) {
    const Gather& source = clique.gathers[from];
    for (const Gather& target : clique.gathers) {
      char* to = target.all + from * source.bytes;
      if (to != source.own) std::memcpy(to, source.own, source.bytes);
    }
    exchanged() += source.bytes * (ranks - 1);
  }
}

/// Carries a collective out, as a kernel does: waits for the other ranks.
void meet(Member& member, const Gather& gather) {
  Clique& clique = *member.clique;
  std::unique_lock lock(clique.mutex);
  if (!clique.fault.empty()) throw_fault(clique.fault);
  if (member.aborted) return;
  if (member.destroyed) {
    break_clique(clique, "a graph gathers after its communicator was destroyed");
  }
  for (std::size_t other = 0; other < clique.gathers.size(); ++other) {
    if (clique.left[other]) {
      break_clique(clique, "rank " + std::to_string(member.rank) + " gathers " + describe(gather) +
                               ", but rank " + std::to_string(other) + " has left");
    }
    if (!clique.arrived[other]) continue;
    const std::string problem =
        mismatch(member.rank, gather, static_cast<int>(other), clique.gathers[other]);
    if (!problem.empty()) break_clique(clique, problem);
  }
  const auto rank = static_cast<std::size_t>(member.rank);
  clique.gathers[rank] = gather;
  clique.arrived[rank] = true;
  if (++clique.waiting == static_cast<int>(clique.gathers.size())) {
    move_blocks(clique);
    clique.arrived.assign(clique.arrived.size(), false);
    clique.waiting = 0;
    ++clique.done;
    clique.changed.notify_all();
    return;
  }
  const std::uint64_t before = clique.done;
  ++waiting();
  clique.changed.wait(
      lock, [&] { return clique.done != before || !clique.fault.empty() || member.aborted; });
  --waiting();
  if (!clique.fault.empty()) throw_fault(clique.fault);
}

std::shared_ptr<Clique> clique_of(const ncclUniqueId& id, int ranks) {
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<Clique>> cliques;
  const std::lock_guard lock(mutex);
  std::weak_ptr<Clique>& known = cliques[std::string(id.internal)];
  std::shared_ptr<Clique> clique = known.lock();
  if (clique == nullptr) {
    clique = std::make_shared<Clique>();
    const auto size = static_cast<std::size_t>(ranks);
    clique->devices.assign(size, -1);
    clique->gathers.resize(size);
    clique->arrived.assign(size, false);
    clique->left.assign(size, false);
    known = clique;
  }
  return clique;
}

/// Leaves the clique; ranks that wait for this one are told.
void leave(Member& member) {
  Clique& clique = *member.clique;
  const std::lock_guard lock(clique.mutex);
  member.destroyed = true;
  clique.left[static_cast<std::size_t>(member.rank)] = true;
  if (clique.waiting > 0 && clique.fault.empty()) {
    clique.fault = "rank " + std::to_string(member.rank) + " has left while others wait for it";
  }
  clique.changed.notify_all();
}

}  // namespace
}  // namespace simt::runtime

struct ncclComm {
  std::shared_ptr<simt::runtime::Member> member;
};

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  static std::atomic<int> ids{0};
  *id = {};
  const std::string text = "emulated " + std::to_string(++ids);
  std::memcpy(id->internal, text.data(), text.size());
  return ncclSuccess;
}

ncclResult_t ncclCommInitRank(ncclComm_t* comm, int ranks, ncclUniqueId id, int rank) {
  using namespace simt::runtime;
  if (ranks < 1 || rank < 0 || rank >= ranks) return ncclInvalidArgument;
  const std::shared_ptr<Clique> clique = clique_of(id, ranks);
  std::unique_lock lock(clique->mutex);
  int& device = clique->devices.at(static_cast<std::size_t>(rank));
  if (clique->devices.size() != static_cast<std::size_t>(ranks) || device >= 0) {
    return ncclInvalidArgument;
  }
  device = current_device();
  for (int other = 0; other < ranks; ++other) {
    if (other == rank || clique->devices[static_cast<std::size_t>(other)] != device) continue;
    clique->refused = true;  // two ranks use one device
  }
  ++clique->joined;
  clique->changed.notify_all();
  clique->changed.wait(lock, [&] { return clique->joined == ranks || clique->refused; });
  if (clique->refused) return ncclInvalidUsage;
  *comm = new ncclComm{std::make_shared<Member>(Member{clique, rank})};
  return ncclSuccess;
}

ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  simt::runtime::leave(*comm->member);
  delete comm;
  return ncclSuccess;
}

ncclResult_t ncclCommAbort(ncclComm_t comm) {
  simt::runtime::Clique& clique = *comm->member->clique;
  {
    const std::lock_guard lock(clique.mutex);
    comm->member->aborted = true;
    clique.changed.notify_all();
  }
  // Other threads may still be in calls with it.
  static std::mutex mutex;
  static std::vector<std::unique_ptr<ncclComm>> aborted;
  const std::lock_guard lock(mutex);
  aborted.emplace_back(comm);
  return ncclSuccess;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* error) {
  simt::runtime::Clique& clique = *comm->member->clique;
  const std::lock_guard lock(clique.mutex);
  *error = clique.fault.empty() ? ncclSuccess : ncclRemoteError;
  return ncclSuccess;
}

ncclResult_t ncclAllGather(const void* own, void* all, std::size_t count, ncclDataType_t type,
                           ncclComm_t comm, cudaStream_t stream) {
  using namespace simt::runtime;
  Member& member = *comm->member;
  const std::size_t size = type == ncclInt8 ? 1 : type == ncclFloat32 ? 4 : 8;
  const std::size_t ranks = member.clique->devices.size();
  Gather gather{static_cast<const char*>(own), static_cast<char*>(all), count * size, false};
  if (!on_device({own, gather.bytes}) || !on_device({all, ranks * gather.bytes})) {
    throw_fault("rank " + std::to_string(member.rank) + " gathers " + describe(gather) +
                " beside an allocation");
  }
  const char* place = gather.all + static_cast<std::size_t>(member.rank) * gather.bytes;
  if (place != own && overlap({own, gather.bytes}, {all, ranks * gather.bytes})) {
    return ncclInvalidArgument;
  }
  if (member.stream == nullptr) member.stream = stream;
  if (member.stream != stream) {
    throw_fault("rank " + std::to_string(member.rank) + " gathers on another stream than before");
  }
  gather.captured = is_capturing(stream);
  const cudaError_t status =
      submit_kernels(stream, [member = comm->member, gather] { meet(*member, gather); });
  return status == cudaSuccess ? ncclSuccess : ncclUnhandledCudaError;
}

const char* ncclGetErrorString(ncclResult_t result) {
  return result == ncclSuccess        ? "no error"
         : result == ncclInvalidUsage ? "invalid usage"
                                      : "as the emulated library sees it";
}

void* simt::nccl_symbol(const char* name) {
  const std::string_view wanted = name;
  if (wanted == "ncclGetUniqueId") return reinterpret_cast<void*>(&ncclGetUniqueId);
  if (wanted == "ncclCommInitRank") return reinterpret_cast<void*>(&ncclCommInitRank);
  if (wanted == "ncclCommDestroy") return reinterpret_cast<void*>(&ncclCommDestroy);
  if (wanted == "ncclCommAbort") return reinterpret_cast<void*>(&ncclCommAbort);
  if (wanted == "ncclCommGetAsyncError") return reinterpret_cast<void*>(&ncclCommGetAsyncError);
  if (wanted == "ncclAllGather") return reinterpret_cast<void*>(&ncclAllGather);
  if (wanted == "ncclGetErrorString") return reinterpret_cast<void*>(&ncclGetErrorString);
  return nullptr;
}

std::size_t simt::exchanged_bytes() {
  return runtime::exchanged();
}

int simt::waiting_ranks() {
  return runtime::waiting();
}
