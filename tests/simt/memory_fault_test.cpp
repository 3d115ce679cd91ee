// Planted memory faults, each of which must be reported, and correct variants, which must not. The
// watch finds them in instrumented builds; AddressSanitizer finds some of them.
#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <climits>
#include <cstddef>
#include <optional>
#include <string>

#include "seeded_test.hpp"
#include "simt/buffer.hpp"
#include "simt/simt.hpp"

extern __shared__ __align__(16) unsigned char dynamic_shared_memory[];

namespace simt {
namespace {

enum class Sync { none, shuffle, warp, halves, block };

// Every thread writes a word, and reads the word of the thread `distance` away.
template <Sync sync>
__global__ void exchange_kernel(int* y, unsigned distance) {
  __shared__ int words[64];
  words[threadIdx.x] = static_cast<int>(threadIdx.x);
  if (sync == Sync::warp) __syncwarp();
  if (sync == Sync::halves) __syncwarp(threadIdx.x % 32 < 16 ? 0x0000ffffu : 0xffff0000u);
  if (sync == Sync::block) __syncthreads();
  // All lanes arrive, so that all words are written; but a shuffle orders nothing.
  if (sync == Sync::shuffle || sync == Sync::halves) __shfl_sync(0xffffffffu, 0, 0);
  y[threadIdx.x] = words[(threadIdx.x ^ distance) % 64];
}

// Each warp by itself. The shuffle makes sure that the write comes last, and orders nothing.
__global__ void write_after_read_kernel(int* y, int barrier) {
  __shared__ int words[2];
  int& word = words[threadIdx.x / 32];
  if (threadIdx.x % 32 == 0) word = 1;
  __syncwarp();
  y[threadIdx.x] = word;
  __shfl_sync(0xffffffffu, 0, 0);
  if (barrier) __syncwarp();
  if (threadIdx.x % 32 == 31) word = 2;
}

__global__ void write_write_kernel() {
  __shared__ int word;
  if (threadIdx.x % 32 == 0) word = 3;
}

__global__ void missing_barrier_reduction_kernel(float* y) {
  __shared__ float sum[64];
  sum[threadIdx.x] = 1.0f;
  __syncthreads();
  for (unsigned step = 32; step > 0; step /= 2) {
    if (threadIdx.x < step) sum[threadIdx.x] += sum[threadIdx.x + step];  // no barrier after it
  }
  if (threadIdx.x == 0) *y = sum[0];
}

__global__ void counter_kernel(int* y, int plain) {
  __shared__ int counter;
  if (threadIdx.x == 0) counter = 0;
  __syncthreads();
  if (plain && threadIdx.x == 40) counter += 1;
  atomicAdd(&counter, 1);
  __syncthreads();
  if (threadIdx.x == 0) *y = counter;
}

__global__ void bytes_kernel(int* y) {
  __shared__ unsigned char bytes[64];
  bytes[threadIdx.x] = static_cast<unsigned char>(threadIdx.x);
  __syncthreads();
  y[threadIdx.x] = bytes[63 - threadIdx.x];
}

__global__ void half_written_kernel(int* y, unsigned written) {
  __shared__ int words[64];
  if (threadIdx.x < written) words[threadIdx.x] = 1;
  __syncthreads();
  y[threadIdx.x] = words[threadIdx.x];
}

__global__ void written_by_first_block_kernel(int* y) {
  __shared__ int word;
  if (threadIdx.x == 0 && blockIdx.x == 0) word = 1;
  __syncthreads();
  y[threadIdx.x] = word;
}

__global__ void dynamic_kernel(int* y, unsigned write, unsigned read) {
  int* words = reinterpret_cast<int*>(dynamic_shared_memory);
  if (threadIdx.x < write) words[threadIdx.x] = 1;
  __syncthreads();
  if (threadIdx.x < read) y[threadIdx.x] = words[threadIdx.x];
}

class MemoryFault : public SeededTest {
 protected:
  void SetUp() override {
    if (!kWatched) GTEST_SKIP() << "shared memory is watched in instrumented builds only";
  }
  template <class... P>
  std::optional<Fault> run(void (*kernel)(P...), std::type_identity_t<P>... args) {
    return fault_of([&] { launch(4, 64, bytes, options(), kernel, args...); }, &text);
  }
  Buffer<int> y{64};
  std::size_t bytes = 0;
  std::string text;
};

TEST_F(MemoryFault, ReadOfAnothersWordWithoutABarrier) {
  for_each_seed([&] {
    // Without a barrier a neighbour's word is unwritten yet, or written in a race.
    const auto fault = run(exchange_kernel<Sync::none>, y.data(), 1);
    EXPECT_TRUE(fault == Fault::shared_race || fault == Fault::unwritten_shared) << text;
    EXPECT_EQ(run(exchange_kernel<Sync::none>, y.data(), 0), std::nullopt);
  });
}

TEST_F(MemoryFault, WarpBarrierOrdersItsLanesAlone) {
  for_each_seed([&] {
    EXPECT_EQ(run(exchange_kernel<Sync::warp>, y.data(), 31), std::nullopt) << text;
    EXPECT_NE(run(exchange_kernel<Sync::warp>, y.data(), 32), std::nullopt);
    EXPECT_EQ(run(exchange_kernel<Sync::halves>, y.data(), 15), std::nullopt) << text;
    EXPECT_EQ(run(exchange_kernel<Sync::halves>, y.data(), 16), Fault::shared_race) << text;
    EXPECT_EQ(run(exchange_kernel<Sync::shuffle>, y.data(), 1), Fault::shared_race) << text;
    EXPECT_EQ(run(exchange_kernel<Sync::block>, y.data(), 63), std::nullopt) << text;
  });
}

TEST_F(MemoryFault, RaceOfAWriteWithEarlierReads) {
  for_each_seed([&] {
    EXPECT_EQ(run(write_after_read_kernel, y.data(), 1), std::nullopt) << text;
    EXPECT_EQ(run(write_after_read_kernel, y.data(), 0), Fault::shared_race);
    EXPECT_NE(text.find("write_after_read_kernel(int*, int)::words', byte "), std::string::npos)
        << text;
  });
}

TEST_F(MemoryFault, RaceOfTwoWrites) {
  for_each_seed([&] { EXPECT_EQ(run(write_write_kernel), Fault::shared_race); });
}

TEST_F(MemoryFault, ReductionWithoutItsBarrier) {
  for_each_seed([&] {
    Buffer<float> sum(1);
    EXPECT_EQ(run(missing_barrier_reduction_kernel, sum.data()), Fault::shared_race);
  });
}

TEST_F(MemoryFault, AtomicsRaceWithPlainAccessesOnly) {
  for_each_seed([&] {
    EXPECT_EQ(run(counter_kernel, y.data(), 0), std::nullopt) << text;
    EXPECT_EQ(y[0], 64);
    EXPECT_EQ(run(counter_kernel, y.data(), 1), Fault::shared_race);
  });
}

TEST_F(MemoryFault, BytesOfOneWordAreSeveralPlaces) {
  for_each_seed([&] {
    EXPECT_EQ(run(bytes_kernel, y.data()), std::nullopt) << text;
    EXPECT_EQ(y[10], 53);
  });
}

TEST_F(MemoryFault, ReadOfUnwrittenSharedMemory) {
  for_each_seed([&] {
    EXPECT_EQ(run(half_written_kernel, y.data(), 64), std::nullopt) << text;
    EXPECT_EQ(run(half_written_kernel, y.data(), 63), Fault::unwritten_shared);
    EXPECT_NE(text.find("half_written_kernel(int*, unsigned int)::words', byte 252"),
              std::string::npos)
        << text;
    EXPECT_EQ(run(half_written_kernel, y.data(), 0), Fault::unwritten_shared);
  });
}

TEST_F(MemoryFault, WritesOfAnotherBlockDoNotCount) {
  for_each_seed(
      [&] { EXPECT_EQ(run(written_by_first_block_kernel, y.data()), Fault::unwritten_shared); });
}

TEST_F(MemoryFault, DynamicSharedMemory) {
  for_each_seed([&] {
    bytes = 60 * sizeof(int);
    EXPECT_EQ(run(dynamic_kernel, y.data(), 60, 60), std::nullopt) << text;
    EXPECT_EQ(run(dynamic_kernel, y.data(), 61, 60), Fault::out_of_bounds);
    EXPECT_EQ(run(dynamic_kernel, y.data(), 60, 61), Fault::out_of_bounds);
    EXPECT_EQ(run(dynamic_kernel, y.data(), 59, 60), Fault::unwritten_shared);
  });
}

__global__ void store_kernel(int* y, int offset) {
  y[static_cast<int>(threadIdx.x) + offset] = 1;
}
__global__ void load_kernel(int* y, const int* x, int offset) {
  y[threadIdx.x] = x[static_cast<int>(threadIdx.x) + offset];
}
__global__ void shared_index_kernel(int* y, unsigned offset) {
  __shared__ int words[64];
  words[threadIdx.x + offset] = 1;
  __syncthreads();
  y[threadIdx.x] = words[threadIdx.x];
}
__global__ void local_index_kernel(int* y, int last) {
  int local[4] = {};
  for (int i = 0; i <= last; ++i) local[i] = i;
  y[threadIdx.x] = local[threadIdx.x % 4];
}
__global__ void vector_kernel(float* y, unsigned offset) {
  if (threadIdx.x < 8) *reinterpret_cast<float4*>(y + 4 * threadIdx.x + offset) = {1, 2, 3, 4};
}
__global__ void product_kernel(int* y, int rows, int columns) {
  y[0] = rows * columns;
}
__global__ void shift_kernel(int* y, int by) {
  y[0] = 1 << by;
}
__global__ void remainder_kernel(int* y, int of) {
  y[0] = 7 % of;
}

TEST_F(MemoryFault, StoreBesideABuffer) {
  for_each_seed([&] {
    EXPECT_EQ(run(store_kernel, y.data(), 0), std::nullopt) << text;
    EXPECT_EQ(run(store_kernel, y.data(), 1), Fault::out_of_bounds);
    EXPECT_NE(text.find("write of 4 bytes at byte 256 of a buffer of 256"), std::string::npos)
        << text;
    EXPECT_NE(text.find("memory_fault_test.cpp:"), std::string::npos) << text;
    EXPECT_EQ(run(store_kernel, y.data(), -1), Fault::out_of_bounds);
    EXPECT_NE(text.find("4 bytes before a buffer of 256"), std::string::npos) << text;
    EXPECT_EQ(run(store_kernel, y.data(), 1 << 28), Fault::out_of_bounds);
  });
}

TEST_F(MemoryFault, LoadBesideABuffer) {
  for_each_seed([&] {
    const Buffer<int> x(64);
    EXPECT_EQ(run(load_kernel, y.data(), x.data(), 0), std::nullopt) << text;
    EXPECT_EQ(run(load_kernel, y.data(), x.data(), 1), Fault::out_of_bounds);
    const int* stale = Buffer<int>(64).data();
    EXPECT_EQ(run(load_kernel, y.data(), stale, 0), Fault::out_of_bounds);
  });
}

TEST_F(MemoryFault, IndexBesideAnArray) {
  for_each_seed([&] {
    EXPECT_EQ(run(shared_index_kernel, y.data(), 0), std::nullopt) << text;
    EXPECT_EQ(run(shared_index_kernel, y.data(), 1), Fault::out_of_bounds);
    EXPECT_EQ(run(local_index_kernel, y.data(), 3), std::nullopt) << text;
    EXPECT_EQ(run(local_index_kernel, y.data(), 4), Fault::out_of_bounds);
  });
}

TEST_F(MemoryFault, MisalignedVector) {
  for_each_seed([&] {
    Buffer<float> vectors(36);
    EXPECT_EQ(run(vector_kernel, vectors.data(), 4), std::nullopt) << text;
    EXPECT_EQ(run(vector_kernel, vectors.data(), 2), Fault::misaligned);
  });
}

TEST_F(MemoryFault, UndefinedArithmetic) {
  for_each_seed([&] {
    EXPECT_EQ(run(product_kernel, y.data(), 1 << 15, 1 << 15), std::nullopt) << text;
    EXPECT_EQ(run(product_kernel, y.data(), 1 << 16, 1 << 15), Fault::undefined);
    EXPECT_EQ(run(shift_kernel, y.data(), 32), Fault::undefined);
    EXPECT_EQ(run(remainder_kernel, y.data(), 0), Fault::undefined);
  });
}

#ifdef __SANITIZE_ADDRESS__
TEST(AddressSanitizerDeathTest, SeesAStoreBesideABuffer) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  Buffer<int> y(64);
  launch(1, 64, 0, {}, store_kernel, y.data(), 0);
  EXPECT_DEATH(launch(1, 64, 0, {}, store_kernel, y.data(), 1), "heap-buffer-overflow");
}
TEST(AddressSanitizerDeathTest, SeesAStoreBehindDynamicSharedMemory) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  Buffer<int> y(64);
  launch(1, 64, 240, {}, dynamic_kernel, y.data(), 60, 60);
  EXPECT_DEATH(launch(1, 64, 240, {}, dynamic_kernel, y.data(), 61, 60), "use-after-poison");
}
#endif

TEST(Buffer, StartsAsNoNumber) {
  const Buffer<float> x(1000);
  for (float value : x.span()) EXPECT_NE(value, value);
  EXPECT_EQ(Buffer<int>(1)[0], -1);
  EXPECT_EQ(Buffer<int>(0).size(), 0u);
}

}  // namespace
}  // namespace simt
