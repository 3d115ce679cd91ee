// block.cuh: every size of a block from 1 to 1024, every operation, called twice in a row.
#include "cuda/support/block.cuh"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <tuple>
#include <vector>

#include "reduce_case.hpp"
#include "simt/buffer.hpp"
#include "simt/simt.hpp"

namespace tern::cuda {
namespace {

// Without a barrier between the calls: the executor reports any race on their shared memory.
template <typename Op, typename T>
__global__ void block_kernel(T* reduced, const T* x) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  const T once = block_reduce<Op>(x[i]);
  const T twice = block_reduce<Op>(x[i]);
  reduced[i] = once == twice ? once : T(-77);
}

template <typename Op, typename T>
T block_tree(const std::vector<T>& values) {
  std::vector<T> of_warp;
  for (std::size_t i = 0; i < values.size(); i += 32) {
    const auto end = values.begin() + static_cast<std::ptrdiff_t>(std::min(i + 32, values.size()));
    of_warp.push_back(
        tree<Op>(std::vector<T>(values.begin() + static_cast<std::ptrdiff_t>(i), end)));
  }
  if (of_warp.size() == 1) return of_warp[0];
  of_warp.resize(32, Op::template neutral<T>());
  return tree<Op>(of_warp);
}

template <typename Op, typename T>
void check_block(int threads, unsigned seed) {
  const auto size = static_cast<std::size_t>(threads);
  const std::vector<T> values = values_of<T>(threads);
  const simt::Buffer<T> x{std::span<const T>(values)};
  simt::Buffer<T> reduced(size);
  simt::launch(1, static_cast<unsigned>(threads), 0, {.seed = seed}, block_kernel<Op, T>,
               reduced.data(), x.data());
  const T expected = block_tree<Op>(values);
  for (std::size_t i = 0; i < size; ++i) {
    ASSERT_EQ(reduced[i], expected) << "thread " << i << " of " << threads;
  }
}

template <typename Case>
class BlockOf : public testing::Test {};
using Cases =
    testing::Types<std::tuple<Sum, int>, std::tuple<Sum, float>, std::tuple<Sum, double>,
                   std::tuple<Sum, unsigned>, std::tuple<Sum, long long>, std::tuple<Max, int>,
                   std::tuple<Max, float>, std::tuple<Max, unsigned>, std::tuple<Max, double>,
                   std::tuple<Max, long long>>;
TYPED_TEST_SUITE(BlockOf, Cases);

TYPED_TEST(BlockOf, WholeAndPartialWarps) {
  using Op = std::tuple_element_t<0, TypeParam>;
  using T = std::tuple_element_t<1, TypeParam>;
  for (int threads = 32; threads <= 1024; threads += 32) {
    check_block<Op, T>(threads, 1);
    check_block<Op, T>(threads - 1, 2);
    check_block<Op, T>(threads - 31, 3);
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST(Block, EverySizeFromOneTo1024) {
  for (int threads = 1; threads <= 1024; ++threads) {
    check_block<Sum, int>(threads, static_cast<unsigned>(threads));
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST(Block, GivesTheSameBitsInEveryOrder) {
  const std::vector<float> values = values_of<float>(1000);
  const simt::Buffer<float> x{std::span<const float>(values)};
  simt::Buffer<float> reduced(1000);
  std::vector<float> first;
  for (unsigned seed = 1; seed < 12; ++seed) {
    simt::launch(1, 1000, 0, {.seed = seed}, block_kernel<Sum, float>, reduced.data(), x.data());
    const std::vector<float> now(reduced.span().begin(), reduced.span().end());
    if (seed == 1) first = now;
    EXPECT_EQ(now, first);
  }
}

}  // namespace
}  // namespace tern::cuda
