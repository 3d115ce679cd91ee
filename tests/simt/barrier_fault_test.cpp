// Planted faults of block barriers and warp meetings, each of which must be reported.
#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "seeded_test.hpp"
#include "simt/buffer.hpp"
#include "simt/simt.hpp"

namespace simt {
namespace {

__global__ void barrier_in_branch_kernel(int* y) {
  if (threadIdx.x < 16) __syncthreads();
  y[threadIdx.x] = 1;
  __syncthreads();
}

__global__ void barrier_before_return_kernel(int* y) {
  if (threadIdx.x >= 40) return;
  __syncthreads();
  y[threadIdx.x] = 1;
}

__global__ void barrier_or_shuffle_kernel(int* y) {
  if (threadIdx.x < 16) {
    __syncthreads();
  } else {
    y[threadIdx.x] = __shfl_sync(0xffffffffu, 1, 0);
  }
}

__global__ void two_masks_kernel() {
  if (threadIdx.x % 2 == 0) {
    __syncwarp(0xffffffffu);
  } else {
    __syncwarp(0xaaaaaaaau | 1u);
  }
}

__global__ void two_operations_kernel(int* y) {
  if (threadIdx.x < 16) {
    y[0] = __shfl_sync(0xffffffffu, 1, 0);
  } else {
    __ballot_sync(0xffffffffu, 1);
  }
}

__global__ void foreign_mask_kernel() {
  __syncwarp(0xffffu);
}
__global__ void odd_width_kernel(int* y) {
  *y = __shfl_sync(0xffffffffu, 1, 0, 12);
}

__global__ void shuffle_from_returned_kernel(int* y) {
  if (threadIdx.x == 5) return;
  y[threadIdx.x] = __shfl_sync(0xffffffffu, 1, 5);
}
__global__ void shuffle_from_outside_mask_kernel(int* y) {
  if (threadIdx.x < 16) y[threadIdx.x] = __shfl_down_sync(0xffffu, 1, 8);
}
__global__ void shuffle_down_kernel(int* y) {
  y[threadIdx.x] = __shfl_down_sync(0xffffffffu, static_cast<int>(threadIdx.x), 1);
}

class BarrierFault : public SeededTest {
 protected:
  Buffer<int> y{64};
};

TEST_F(BarrierFault, BarrierInADivergentBranch) {
  for_each_seed([&] {
    std::string text;
    const auto fault =
        fault_of([&] { launch(1, 64, 0, options(), barrier_in_branch_kernel, y.data()); }, &text);
    EXPECT_EQ(fault, Fault::divergent_barrier);
    EXPECT_NE(text.find("barrier_fault_test.cpp:18"), std::string::npos) << text;
  });
}

TEST_F(BarrierFault, ReturnedThreadsAreExcusedOrReported) {
  for_each_seed([&] {
    Options strict = options();
    strict.exited_at_barrier = Exited::reported;
    const auto run = [&](const Options& o) {
      launch(1, 64, 0, o, barrier_before_return_kernel, y.data());
    };
    EXPECT_EQ(fault_of([&] { run(options()); }), std::nullopt);
    EXPECT_EQ(fault_of([&] { run(strict); }), Fault::divergent_barrier);
  });
}

TEST_F(BarrierFault, SomeAtABarrierOthersAtAShuffle) {
  for_each_seed([&] {
    std::string text;
    const auto fault =
        fault_of([&] { launch(1, 32, 0, options(), barrier_or_shuffle_kernel, y.data()); }, &text);
    EXPECT_EQ(fault, Fault::divergent_barrier);
    EXPECT_NE(text.find("16 wait at the block barrier"), std::string::npos) << text;
  });
}

TEST_F(BarrierFault, LanesThatMeetWithDifferentMasks) {
  for_each_seed([&] {
    EXPECT_EQ(fault_of([&] { launch(1, 32, 0, options(), two_masks_kernel); }),
              Fault::divergent_warp);
  });
}

TEST_F(BarrierFault, LanesThatMeetForDifferentOperations) {
  for_each_seed([&] {
    EXPECT_EQ(fault_of([&] { launch(1, 32, 0, options(), two_operations_kernel, y.data()); }),
              Fault::divergent_warp);
  });
}

TEST_F(BarrierFault, MaskWithoutTheCaller) {
  for_each_seed([&] {
    std::string text;
    EXPECT_EQ(fault_of([&] { launch(1, 32, 0, options(), foreign_mask_kernel); }, &text),
              Fault::bad_mask);
    EXPECT_NE(text.find("0x0000ffff"), std::string::npos) << text;
  });
}

TEST_F(BarrierFault, ShuffleOfAnOddWidth) {
  for_each_seed([&] {
    EXPECT_EQ(fault_of([&] { launch(1, 32, 0, options(), odd_width_kernel, y.data()); }),
              Fault::bad_mask);
  });
}

TEST_F(BarrierFault, ShuffleFromALaneThatReturned) {
  for_each_seed([&] {
    EXPECT_EQ(
        fault_of([&] { launch(1, 32, 0, options(), shuffle_from_returned_kernel, y.data()); }),
        Fault::inactive_lane);
  });
}

TEST_F(BarrierFault, ShuffleFromALaneOutsideTheMask) {
  for_each_seed([&] {
    const auto run = [&] {
      launch(1, 32, 0, options(), shuffle_from_outside_mask_kernel, y.data());
    };
    EXPECT_EQ(fault_of(run), Fault::inactive_lane);
  });
}

TEST_F(BarrierFault, ShuffleFromALaneThatAPartialWarpLacks) {
  for_each_seed([&] {
    const auto run = [&](unsigned threads) {
      launch(1, threads, 0, options(), shuffle_down_kernel, y.data());
    };
    EXPECT_EQ(fault_of([&] { run(64); }), std::nullopt);
    EXPECT_EQ(fault_of([&] { run(48); }), Fault::inactive_lane);
  });
}

__global__ void trap_kernel() {
  if (blockIdx.x == 3 && threadIdx.x == 1 && threadIdx.y == 2) __trap();
}

TEST(Launch, ErrorNamesBlockAndThread) {
  try {
    launch(8, dim3(4, 4), 0, {}, trap_kernel);
    FAIL() << "no fault";
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::trap);
    EXPECT_EQ(error.block().x, 3u);
    EXPECT_EQ(error.thread().x, 1u);
    EXPECT_EQ(error.thread().y, 2u);
    EXPECT_NE(std::string(error.what()).find("block (3,0,0), thread (1,2,0)"), std::string::npos)
        << error.what();
  }
}

TEST(Launch, RefusesShapesThatNoDeviceTakes) {
  const auto run = [](dim3 grid, dim3 block, std::size_t bytes) {
    return fault_of([&] { launch(grid, block, bytes, {}, [] {}); });
  };
  EXPECT_EQ(run(1, 1024, kMaxSharedBytes), std::nullopt);
  EXPECT_EQ(run(0, 32, 0), Fault::bad_launch);
  EXPECT_EQ(run(1, 0, 0), Fault::bad_launch);
  EXPECT_EQ(run(1, 1025, 0), Fault::bad_launch);
  EXPECT_EQ(run(1, dim3(1, 1, 65), 0), Fault::bad_launch);
  EXPECT_EQ(run(dim3(1, 65536), 1, 0), Fault::bad_launch);
  EXPECT_EQ(run(1, 32, kMaxSharedBytes + 1), Fault::bad_launch);
}

TEST(Launch, WorksAgainAfterAFault) {
  Buffer<int> y(64);
  for (unsigned seed = 1; seed < 20; ++seed) {
    const auto faulty = [&] {
      launch(4, 64, 0, {.seed = seed}, [&] {
        __syncthreads();
        if (threadIdx.x == 7) __trap();
        __syncthreads();
      });
    };
    EXPECT_EQ(fault_of(faulty), Fault::trap);
    launch(1, 64, 0, {.seed = seed}, shuffle_down_kernel, y.data());
    EXPECT_EQ(y[3], 4);
  }
}

TEST(Launch, PassesOnWhatTheKernelThrows) {
  const auto run = [] {
    launch(5, 32, 0, {}, [] {
      __syncwarp();
      if (threadIdx.x == 9) throw std::runtime_error("from a thread");
      __syncwarp();
    });
  };
  EXPECT_THROW(run(), std::runtime_error);
  EXPECT_THROW(launch(1, 1, 0, {}, [] { launch(1, 1, 0, {}, [] {}); }), std::logic_error);
  EXPECT_THROW(__syncthreads(), std::logic_error);
}

}  // namespace
}  // namespace simt
