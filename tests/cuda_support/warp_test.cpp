// warp.cuh: every operation, type and number of lanes, against a loop on the host.
#include "cuda/support/warp.cuh"

#include <gtest/gtest.h>

#include <cstddef>
#include <span>
#include <tuple>
#include <vector>

#include "reduce_case.hpp"
#include "simt/buffer.hpp"
#include "simt/simt.hpp"

namespace tern::cuda {
namespace {

template <typename Op, typename T>
__global__ void warp_kernel(T* reduced, const T* x, int lanes) {
  const unsigned i = threadIdx.x;
  if (static_cast<int>(i) >= lanes) return;
  reduced[i] = warp_reduce<Op>(x[i], lanes);
}

template <typename Case>
class Warp : public testing::Test {};
using Cases =
    testing::Types<std::tuple<Sum, int>, std::tuple<Sum, unsigned>, std::tuple<Sum, long long>,
                   std::tuple<Sum, float>, std::tuple<Sum, double>, std::tuple<Max, int>,
                   std::tuple<Max, unsigned>, std::tuple<Max, long long>, std::tuple<Max, float>,
                   std::tuple<Max, double>>;
TYPED_TEST_SUITE(Warp, Cases);

// Called by the first `lanes` threads of a block of 32, and by all threads of a block of `lanes`.
TYPED_TEST(Warp, ReducesAnyNumberOfLanes) {
  using Op = std::tuple_element_t<0, TypeParam>;
  using T = std::tuple_element_t<1, TypeParam>;
  for (int lanes = 1; lanes <= 32; ++lanes) {
    const std::vector<T> values = values_of<T>(lanes);
    const simt::Buffer<T> x{std::span<const T>(values)};
    const T expected = tree<Op>(values);
    for (int threads : {lanes, 32}) {
      const auto size = static_cast<std::size_t>(lanes);
      simt::Buffer<T> reduced(size);
      simt::launch(1, static_cast<unsigned>(threads), 0, {.seed = static_cast<unsigned>(lanes)},
                   warp_kernel<Op, T>, reduced.data(), x.data(), lanes);
      for (std::size_t i = 0; i < size; ++i) {
        ASSERT_EQ(reduced[i], expected) << lanes << " lanes, lane " << i;
      }
    }
  }
}

TEST(Warp, GivesTheSameBitsInEveryOrder) {
  const std::vector<float> values = values_of<float>(32);
  const simt::Buffer<float> x{std::span<const float>(values)};
  simt::Buffer<float> reduced(32);
  std::vector<float> first;
  for (unsigned seed = 1; seed < 20; ++seed) {
    simt::launch(1, 32, 0, {.seed = seed}, warp_kernel<Sum, float>, reduced.data(), x.data(), 32);
    const std::vector<float> now(reduced.span().begin(), reduced.span().end());
    if (seed == 1) first = now;
    EXPECT_EQ(now, first);
  }
}

}  // namespace
}  // namespace tern::cuda
