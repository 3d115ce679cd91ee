// The emulated NCCL: ranks are threads with a device each, and faults are planted.
#include <cuda_runtime.h>
#include <gtest/gtest.h>
#include <nccl.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "simt/runtime/device.hpp"
#include "simt/runtime/nccl.hpp"
#include "simt/simt.hpp"

namespace simt {
namespace {

constexpr int kRanks = 3;
constexpr std::size_t kCount = 5;

/// What a rank works with; its row of `all` is full of 10 + rank.
struct Rank {
  int rank = 0;
  ncclComm_t comm = nullptr;
  cudaStream_t stream = nullptr;
  char* all = nullptr;

  ncclResult_t gather(std::size_t count = kCount) const {
    return ncclAllGather(all + static_cast<std::size_t>(rank) * count, all, count, ncclInt8, comm,
                         stream);
  }
  std::vector<char> found() const {
    std::vector<char> bytes(kRanks * kCount);
    EXPECT_EQ(cudaMemcpyAsync(bytes.data(), all, bytes.size(), cudaMemcpyDeviceToHost, stream),
              cudaSuccess);
    EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
    return bytes;
  }
};

/// Runs body on every rank; the fault that each ends with, "" without one.
std::vector<std::string> run_ranks(const std::function<void(Rank&)>& body) {
  set_devices({{.seed = 1}, {.seed = 2, .timing = Timing::late}, {.seed = 3}});
  ncclUniqueId id;
  EXPECT_EQ(ncclGetUniqueId(&id), ncclSuccess);
  std::vector<std::string> faults(kRanks);
  std::vector<std::thread> threads;
  for (int r = 0; r < kRanks; ++r) {
    threads.emplace_back([&, r] {
      Rank rank{.rank = r};
      ASSERT_EQ(cudaSetDevice(r), cudaSuccess);
      ASSERT_EQ(ncclCommInitRank(&rank.comm, kRanks, id, r), ncclSuccess);
      ASSERT_EQ(cudaStreamCreateWithFlags(&rank.stream, cudaStreamNonBlocking), cudaSuccess);
      void* data = nullptr;
      ASSERT_EQ(cudaMalloc(&data, kRanks * kCount), cudaSuccess);
      rank.all = static_cast<char*>(data);
      ASSERT_EQ(cudaMemsetAsync(rank.all + static_cast<std::size_t>(r) * kCount, 10 + r, kCount,
                                rank.stream),
                cudaSuccess);
      try {
        body(rank);
      } catch (const Error& error) {
        EXPECT_EQ(error.fault(), Fault::bad_collective);
        faults[static_cast<std::size_t>(r)] = error.what();
      }
      if (rank.comm != nullptr) {
        EXPECT_EQ(ncclCommDestroy(rank.comm), ncclSuccess);
      }
      (void)cudaStreamDestroy(rank.stream);  // refused after a fault
      (void)cudaFree(data);
    });
  }
  for (std::thread& thread : threads) thread.join();
  return faults;
}

const std::vector<char> kGathered{10, 10, 10, 10, 10, 11, 11, 11, 11, 11, 12, 12, 12, 12, 12};
const std::vector<std::string> kNoFaults(kRanks);

TEST(RuntimeNccl, GathersInTheOrderOfRanks) {
  const std::size_t before = exchanged_bytes();
  EXPECT_EQ(run_ranks([](Rank& rank) {
              EXPECT_EQ(rank.gather(), ncclSuccess);
              EXPECT_EQ(rank.found(), kGathered);
            }),
            kNoFaults);
  EXPECT_EQ(exchanged_bytes() - before, kRanks * (kRanks - 1) * kCount);
}

/// The graph of one gather.
cudaGraphExec_t record(const Rank& rank) {
  EXPECT_EQ(cudaStreamBeginCapture(rank.stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  EXPECT_EQ(rank.gather(), ncclSuccess);
  cudaGraph_t graph = nullptr;
  EXPECT_EQ(cudaStreamEndCapture(rank.stream, &graph), cudaSuccess);
  cudaGraphExec_t executable = nullptr;
  EXPECT_EQ(cudaGraphInstantiate(&executable, graph, 0), cudaSuccess);
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
  return executable;
}

TEST(RuntimeNccl, ACapturedGatherRunsWithItsGraph) {
  EXPECT_EQ(run_ranks([](Rank& rank) {
              const cudaGraphExec_t graph = record(rank);
              EXPECT_NE(rank.found(), kGathered) << "nothing ran yet";
              EXPECT_EQ(cudaGraphLaunch(graph, rank.stream), cudaSuccess);
              EXPECT_EQ(rank.found(), kGathered);
              EXPECT_EQ(cudaGraphExecDestroy(graph), cudaSuccess);
            }),
            kNoFaults);
}

/// Every rank reports a fault with these words.
void expect_fault(const std::vector<std::string>& faults, const std::string& words) {
  for (const std::string& fault : faults) {
    EXPECT_NE(fault.find(words), std::string::npos) << fault;
  }
}

TEST(RuntimeNccl, ReportsRanksThatGatherOtherSizes) {
  expect_fault(run_ranks([](Rank& rank) {
                 (void)rank.gather(rank.rank == 1 ? 4 : 5);
                 (void)rank.found();
               }),
               "gathers 4 bytes");
}

TEST(RuntimeNccl, ReportsAGatherThatOneRankAloneHasCaptured) {
  expect_fault(run_ranks([](Rank& rank) {
                 if (rank.rank == 2) {
                   (void)cudaGraphLaunch(record(rank), rank.stream);
                 } else {
                   (void)rank.gather();
                 }
                 (void)rank.found();
               }),
               "gathers 5 bytes from a graph");
}

TEST(RuntimeNccl, ReportsARankThatLeavesInstead) {
  const auto faults = run_ranks([](Rank& rank) {
    if (rank.rank == 1) return;
    (void)rank.gather();
    (void)rank.found();
  });
  EXPECT_EQ(faults[1], "");
  expect_fault({faults[0], faults[2]}, "left");
}

TEST(RuntimeNccl, ReportsAGatherOnAnotherStream) {
  expect_fault(run_ranks([](Rank& rank) {
                 EXPECT_EQ(rank.gather(), ncclSuccess);
                 (void)rank.found();
                 EXPECT_EQ(cudaStreamCreateWithFlags(&rank.stream, cudaStreamNonBlocking),
                           cudaSuccess);
                 (void)rank.gather();
               }),
               "on another stream");
}

TEST(RuntimeNccl, ReportsAGatherBesideAnAllocation) {
  expect_fault(run_ranks([](Rank& rank) { (void)rank.gather(kCount + 1); }),
               "beside an allocation");
}

TEST(RuntimeNccl, AnAbortEndsTheWait) {
  std::atomic<bool> begun{false};
  EXPECT_EQ(run_ranks([&](Rank& rank) {
              std::thread other([&begun, comm = rank.comm] {
                while (!begun && waiting_ranks() < 2) std::this_thread::yield();
                begun = true;
                EXPECT_EQ(ncclCommAbort(comm), ncclSuccess);
              });
              if (rank.rank != 1) {
                EXPECT_EQ(rank.gather(), ncclSuccess);
                EXPECT_NE(rank.found(), kGathered) << "rank 1 did not come";
              }
              other.join();
              rank.comm = nullptr;
            }),
            kNoFaults);
}

TEST(RuntimeNccl, RefusesTwoRanksOnADevice) {
  set_devices({{.seed = 1}});
  ncclUniqueId id;
  EXPECT_EQ(ncclGetUniqueId(&id), ncclSuccess);
  const auto join = [&](int rank) {
    ncclComm_t comm = nullptr;
    EXPECT_EQ(ncclCommInitRank(&comm, 2, id, rank), ncclInvalidUsage);
  };
  std::thread other([&] { join(1); });
  join(0);
  other.join();
}

TEST(RuntimeNccl, KnowsItsFunctionsByName) {
  EXPECT_NE(nccl_symbol("ncclAllGather"), nullptr);
  EXPECT_EQ(nccl_symbol("ncclBcast"), nullptr);
}

}  // namespace
}  // namespace simt
