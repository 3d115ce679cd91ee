// Correct kernels of the usual kinds: each must give the right answer under every order,
// unreported.
#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <numeric>
#include <set>
#include <vector>

#include "seeded_test.hpp"
#include "simt/buffer.hpp"
#include "simt/simt.hpp"

extern __shared__ __align__(16) unsigned char dynamic_shared_memory[];

namespace simt {
namespace {

class Kernels : public SeededTest {};

template <unsigned kThreads>
__global__ void __launch_bounds__(kThreads)
    reduce_tree_kernel(float* __restrict__ sums, const float* __restrict__ x, int n) {
  __shared__ float part[kThreads];
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  part[threadIdx.x] = i < n ? x[i] : 0.0f;
  __syncthreads();
#pragma unroll
  for (unsigned step = kThreads / 2; step > 0; step /= 2) {
    if (threadIdx.x < step) part[threadIdx.x] += part[threadIdx.x + step];
    __syncthreads();
  }
  if (threadIdx.x == 0) sums[blockIdx.x] = part[0];
}

TEST_F(Kernels, TreeReduction) {
  for_each_seed([&] {
    const int n = 1000;
    Buffer<float> x(n), sums(4);
    std::iota(x.span().begin(), x.span().end(), 0.0f);
    launch(4, 256, 0, options(), reduce_tree_kernel<256>, sums.data(), x.data(), n);
    EXPECT_EQ(sums[0], 255 * 256 / 2);
    EXPECT_EQ(std::accumulate(sums.span().begin(), sums.span().end(), 0.0f), 999 * 1000 / 2);
  });
}

// Hillis and Steele, in two dynamic buffers in turn.
__global__ void scan_kernel(int* y, const int* x) {
  int* words = reinterpret_cast<int*>(dynamic_shared_memory);
  unsigned from = 0;
  words[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  for (unsigned step = 1; step < blockDim.x; step *= 2, from ^= 1) {
    const int* in = words + from * blockDim.x;
    int* out = words + (from ^ 1) * blockDim.x;
    out[threadIdx.x] = in[threadIdx.x] + (threadIdx.x >= step ? in[threadIdx.x - step] : 0);
    __syncthreads();
  }
  y[threadIdx.x] = words[from * blockDim.x + threadIdx.x];
}

TEST_F(Kernels, BlockScan) {
  for_each_seed([&] {
    for (unsigned threads : {1u, 31u, 32u, 100u, 1024u}) {
      Buffer<int> x(threads), y(threads);
      for (unsigned i = 0; i < threads; ++i) x[i] = static_cast<int>(i % 7) - 2;
      launch(1, threads, 2 * threads * sizeof(int), options(), scan_kernel, y.data(), x.data());
      int sum = 0;
      for (unsigned i = 0; i < threads; ++i) ASSERT_EQ(y[i], sum += x[i]) << i << " of " << threads;
    }
  });
}

// y = A x, a warp a row, for rows of floats whose length is `width`.
__global__ void propagate_kernel(float* y, const float* x, const std::int64_t* offsets,
                                 const int* columns, int rows, int width) {
  const int row = static_cast<int>(blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32);
  const int lane = static_cast<int>(threadIdx.x % 32);
  if (row >= rows) return;
  for (int d = 0; d < width; ++d) {
    float sum = 0.0f;
    for (std::int64_t k = offsets[row] + lane; k < offsets[row + 1]; k += 32) {
      sum += __ldg(x + std::int64_t{columns[k]} * width + d);
    }
    for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
    if (lane == 0) y[std::int64_t{row} * width + d] = sum;
  }
}

TEST_F(Kernels, WarpPerRowPropagate) {
  for_each_seed([&] {
    const int rows = 37, width = 5, nodes = 50;
    std::vector<std::int64_t> offsets{0};
    std::vector<int> columns;
    for (int row = 0; row < rows; ++row) {
      for (int k = 0; k < row * row % 71; ++k) columns.push_back((row * 13 + k * 7) % nodes);
      offsets.push_back(static_cast<std::int64_t>(columns.size()));
    }
    const Buffer<std::int64_t> device_offsets{offsets};
    const Buffer<int> device_columns{columns};
    Buffer<float> x(nodes * width), y(rows * width);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 17);
    launch(10, 128, 0, options(), propagate_kernel, y.data(), x.data(), device_offsets.data(),
           device_columns.data(), rows, width);
    for (std::size_t row = 0; row < rows; ++row) {
      for (std::size_t d = 0; d < width; ++d) {
        float sum = 0.0f;
        for (auto k = offsets[row]; k < offsets[row + 1]; ++k) {
          sum += x[static_cast<std::size_t>(columns[static_cast<std::size_t>(k)]) * width + d];
        }
        ASSERT_EQ(y[row * width + d], sum) << row << ", " << d;
      }
    }
  });
}

__global__ void histogram_kernel(unsigned* counts, const unsigned char* x, unsigned n) {
  __shared__ unsigned local[16];
  if (threadIdx.x < 16) local[threadIdx.x] = 0;
  __syncthreads();
  for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
    atomicAdd(&local[x[i] % 16], 1);
  }
  __syncthreads();
  if (threadIdx.x < 16) atomicAdd(&counts[threadIdx.x], local[threadIdx.x]);
}

TEST_F(Kernels, HistogramWithAtomics) {
  for_each_seed([&] {
    const unsigned n = 5000;
    Buffer<unsigned char> x(n);
    Buffer<unsigned> counts(16);
    counts.fill(0);
    std::vector<unsigned> expected(16);
    for (unsigned i = 0; i < n; ++i) {
      x[i] = static_cast<unsigned char>(i * i / 3);
      ++expected[x[i] % 16];
    }
    launch(7, 96, 0, options(), histogram_kernel, counts.data(), x.data(), n);
    EXPECT_TRUE(std::ranges::equal(counts.span(), expected));
  });
}

__global__ void transpose_kernel(float* y, const float* x, unsigned rows, unsigned columns) {
  __shared__ float tile[32][33];
  const unsigned column = blockIdx.x * 32 + threadIdx.x;
  for (unsigned i = threadIdx.y; i < 32; i += blockDim.y) {
    const unsigned row = blockIdx.y * 32 + i;
    if (row < rows && column < columns) tile[i][threadIdx.x] = x[row * columns + column];
  }
  __syncthreads();
  const unsigned row = blockIdx.y * 32 + threadIdx.x;
  for (unsigned i = threadIdx.y; i < 32; i += blockDim.y) {
    const unsigned to = blockIdx.x * 32 + i;
    if (row < rows && to < columns) y[to * rows + row] = tile[threadIdx.x][i];
  }
}

TEST_F(Kernels, TransposeThroughSharedMemory) {
  for_each_seed([&] {
    const unsigned rows = 45, columns = 70;
    Buffer<float> x(rows * columns), y(rows * columns);
    std::iota(x.span().begin(), x.span().end(), 0.0f);
    launch(dim3(3, 2), dim3(32, 8), 0, options(), transpose_kernel, y.data(), x.data(), rows,
           columns);
    for (unsigned i = 0; i < rows; ++i) {
      for (unsigned j = 0; j < columns; ++j) ASSERT_EQ(y[j * rows + i], x[i * columns + j]);
    }
  });
}

// The last block to arrive adds up the results of the others: fence, then an atomic.
__global__ void last_block_kernel(int* total, int* parts, unsigned* arrived) {
  __shared__ int last;
  if (threadIdx.x == 0) {
    parts[blockIdx.x] = static_cast<int>(blockIdx.x);
    __threadfence();
    last = atomicAdd(arrived, 1) == gridDim.x - 1;
  }
  __syncthreads();
  if (last && threadIdx.x == 0) {
    *total = 0;
    for (unsigned i = 0; i < gridDim.x; ++i) *total += parts[i];
  }
}

TEST_F(Kernels, LastBlockFinishes) {
  for_each_seed([&] {
    Buffer<int> total(1), parts(100);
    Buffer<unsigned> arrived(1);
    arrived[0] = 0;
    launch(100, 64, 0, options(), last_block_kernel, total.data(), parts.data(), arrived.data());
    EXPECT_EQ(total[0], 4950);
  });
}

__global__ void visit_kernel(unsigned* visits) {
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  atomicAdd(visits + block * (blockDim.x * blockDim.y * blockDim.z) + thread, 1u);
}

TEST_F(Kernels, EveryThreadOfAGridRunsOnce) {
  for_each_seed([&] {
    Buffer<unsigned> visits(5 * 3 * 2 * 60);
    visits.fill(0);
    launch(dim3(5, 3, 2), dim3(5, 4, 3), 0, options(), visit_kernel, visits.data());
    EXPECT_EQ(std::ranges::count(visits.span(), 1u), std::ssize(visits.span()));
  });
}

TEST_F(Kernels, ASpinningThreadGivesWay) {
  for_each_seed([&] {
    Buffer<int> flag(1);
    flag[0] = 0;
    launch(1, 64, 0, options(), [&] {
      if (threadIdx.x == 63) atomicExch(flag.data(), 1);
      while (atomicAdd(flag.data(), 0) == 0) __nanosleep(10);
    });
  });
}

TEST(Order, ChangesWithTheSeedAlone) {
  const auto order = [](unsigned seed) {
    std::vector<unsigned> threads;
    launch(3, 70, 0, {.seed = seed, .workers = 1}, [&] {
      __syncthreads();
      threads.push_back(blockIdx.x * 70 + threadIdx.x);
    });
    return threads;
  };
  std::set<std::vector<unsigned>> orders;
  for (unsigned seed = 0; seed < 20; ++seed) {
    EXPECT_EQ(order(seed), order(seed));
    orders.insert(order(seed));
  }
  EXPECT_EQ(orders.size(), 20u);
}

TEST(Order, SpreadsBlocksOverWorkers) {
  // Each of two blocks waits for the other: they end only if they run at once.
  std::atomic<int> running = 0;
  launch(2, 1, 0, {.workers = 2}, [&] {
    ++running;
    while (running < 2) {
    }
  });
  EXPECT_EQ(running, 2);
}

}  // namespace
}  // namespace simt
