// warp.cuh: every operation, type and number of lanes, against a loop on the host.
#include "cuda/support/warp.cuh"

#include <gtest/gtest.h>

#include <cstddef>
#include <span>
#include <tuple>
#include <vector>

#include "scan_case.hpp"
#include "simt/buffer.hpp"
#include "simt/simt.hpp"

namespace tern::cuda {
namespace {

template <typename Op, typename T>
__global__ void warp_kernel(T* reduced, T* inclusive, T* exclusive, const T* x, int lanes) {
  const unsigned i = threadIdx.x;
  if (static_cast<int>(i) >= lanes) return;
  reduced[i] = warp_reduce<Op>(x[i], lanes);
  inclusive[i] = warp_scan<Op>(x[i], lanes);
  exclusive[i] = warp_scan_exclusive<Op>(x[i], lanes);
}

template <typename Case>
class Warp : public testing::Test {};
using Cases =
    testing::Types<std::tuple<Sum, int>, std::tuple<Sum, unsigned>, std::tuple<Sum, long long>,
                   std::tuple<Sum, float>, std::tuple<Sum, double>, std::tuple<Min, int>,
                   std::tuple<Min, unsigned>, std::tuple<Min, long long>, std::tuple<Min, float>,
                   std::tuple<Min, double>, std::tuple<Max, int>, std::tuple<Max, unsigned>,
                   std::tuple<Max, long long>, std::tuple<Max, float>, std::tuple<Max, double>>;
TYPED_TEST_SUITE(Warp, Cases);

// Of a block of 32 threads the first `lanes` call; and of a block of `lanes` threads all.
TYPED_TEST(Warp, ReducesAndScansAnyNumberOfLanes) {
  using Op = std::tuple_element_t<0, TypeParam>;
  using T = std::tuple_element_t<1, TypeParam>;
  for (int lanes = 1; lanes <= 32; ++lanes) {
    const std::vector<T> values = values_of<T>(lanes);
    const simt::Buffer<T> x{std::span<const T>(values)};
    const T expected = tree<Op>(values);
    for (int threads : {lanes, 32}) {
      const auto size = static_cast<std::size_t>(lanes);
      simt::Buffer<T> reduced(size), inclusive(size), exclusive(size);
      simt::launch(1, static_cast<unsigned>(threads), 0, {.seed = static_cast<unsigned>(lanes)},
                   warp_kernel<Op, T>, reduced.data(), inclusive.data(), exclusive.data(), x.data(),
                   lanes);
      T before = Op::template neutral<T>();
      for (std::size_t i = 0; i < size; ++i) {
        ASSERT_EQ(reduced[i], expected) << lanes << " lanes, lane " << i;
        const T upto = Op::combine(before, values[i]);
        ASSERT_TRUE((agree<Op>(inclusive[i], upto, 2e-3))) << lanes << " lanes, lane " << i;
        ASSERT_TRUE((agree<Op>(exclusive[i], before, 2e-3))) << lanes << " lanes, lane " << i;
        before = upto;
      }
    }
  }
}

TEST(Warp, GivesTheSameBitsInEveryOrder) {
  const std::vector<float> values = values_of<float>(32);
  const simt::Buffer<float> x{std::span<const float>(values)};
  simt::Buffer<float> reduced(32), inclusive(32), exclusive(32);
  std::vector<float> first;
  for (unsigned seed = 1; seed < 20; ++seed) {
    simt::launch(1, 32, 0, {.seed = seed}, warp_kernel<Sum, float>, reduced.data(),
                 inclusive.data(), exclusive.data(), x.data(), 32);
    const std::vector<float> now(inclusive.span().begin(), inclusive.span().end());
    if (seed == 1) first = now;
    EXPECT_EQ(now, first);
  }
}

}  // namespace
}  // namespace tern::cuda
