// Warp intrinsics, block votes, atomics and numbers, against the CUDA programming guide.
#include <cuda_bf16.h>
#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "seeded_test.hpp"
#include "simt/buffer.hpp"
#include "simt/simt.hpp"

namespace simt {
namespace {

constexpr unsigned kAll = 0xffffffffu;

// Runs `lane_result(lane)` in each lane of a warp of `lanes` threads; returns the lanes' results.
template <class F>
auto on_warp(const F& lane_result, unsigned lanes = 32, unsigned seed = 1) {
  using T = std::invoke_result_t<F, unsigned>;
  std::array<T, 32> results{};
  launch(1, lanes, 0, {.seed = seed},
         [&] { results[threadIdx.x] = lane_result(static_cast<unsigned>(threadIdx.x)); });
  return results;
}

template <class T>
class Shuffle : public testing::Test {};
using ShuffledTypes = testing::Types<int, unsigned, long long, unsigned long long, float, double>;
TYPED_TEST_SUITE(Shuffle, ShuffledTypes);

template <class T>
T pattern(unsigned lane) {
  return static_cast<T>(lane * 3 + 1) * static_cast<T>(1000003);
}

TYPED_TEST(Shuffle, EveryWidthAndDistance) {
  using T = TypeParam;
  for (int width : {1, 2, 4, 8, 16, 32}) {
    const auto w = static_cast<unsigned>(width);
    for (unsigned delta = 0; delta < 32; delta += 1 + delta / 4) {
      const int step = static_cast<int>(delta);
      const auto at = on_warp(
          [&](unsigned i) { return __shfl_sync(kAll, pattern<T>(i), step, width); }, 32, delta + 1);
      const auto up =
          on_warp([&](unsigned i) { return __shfl_up_sync(kAll, pattern<T>(i), delta, width); });
      const auto down =
          on_warp([&](unsigned i) { return __shfl_down_sync(kAll, pattern<T>(i), delta, width); });
      const auto crossed =
          on_warp([&](unsigned i) { return __shfl_xor_sync(kAll, pattern<T>(i), step, width); });
      for (unsigned i = 0; i < 32; ++i) {
        const unsigned first = i / w * w;
        ASSERT_EQ(at[i], pattern<T>(first + delta % w)) << i;
        ASSERT_EQ(up[i], pattern<T>(i - first >= delta ? i - delta : i)) << i;
        ASSERT_EQ(down[i], pattern<T>(i - first + delta < w ? i + delta : i)) << i;
        ASSERT_EQ(crossed[i], pattern<T>((i ^ delta) < first + w ? i ^ delta : i)) << i;
      }
    }
  }
}

TEST(Warp, HalvesShuffleApart) {
  const auto sums = on_warp([](unsigned i) {
    const unsigned mask = i < 12 ? 0x00000fffu : 0xfffff000u;
    int value = static_cast<int>(i);
    if (i < 12) {
      value = __shfl_sync(mask, value, 3);
      return value + __shfl_sync(mask, value, 0);
    }
    return __shfl_sync(mask, value, 20);
  });
  for (unsigned i = 0; i < 32; ++i) EXPECT_EQ(sums[i], i < 12 ? 6 : 20);
}

TEST(Warp, ReturnedLanesAreNotWaitedFor) {
  Buffer<unsigned> y(32);
  for (unsigned seed = 1; seed <= kSeeds; ++seed) {
    launch(1, 32, 0, {.seed = seed}, [&] {
      if (threadIdx.x % 4 == 0) return;
      __syncwarp();
      y[threadIdx.x] = __ballot_sync(kAll, threadIdx.x > 10);
    });
    EXPECT_EQ(y[5], 0xeeeeeeeeu & ~0x7ffu);
  }
}

TEST(Warp, Votes) {
  for (unsigned lanes : {32u, 20u, 1u}) {
    const unsigned mask = lanes == 32 ? kAll : (1u << lanes) - 1;
    const auto ballot = on_warp([&](unsigned i) { return __ballot_sync(mask, i % 3 == 0); }, lanes);
    const auto any = on_warp([&](unsigned i) { return __any_sync(mask, i == lanes - 1); }, lanes);
    const auto none = on_warp([&](unsigned i) { return __any_sync(mask, i > 40); }, lanes);
    const auto all = on_warp([&](unsigned i) { return __all_sync(mask, i < lanes); }, lanes);
    const auto most = on_warp([&](unsigned i) { return __all_sync(mask, i > 0); }, lanes);
    for (unsigned i = 0; i < lanes; ++i) {
      EXPECT_EQ(ballot[i], 0x49249249u & mask);
      EXPECT_TRUE(any[i] && !none[i] && all[i] && !most[i]);
    }
  }
}

TEST(Warp, Matches) {
  const auto any = on_warp([](unsigned i) { return __match_any_sync(kAll, i / 8); });
  const auto wide = on_warp([](unsigned i) { return __match_any_sync(kAll, (i % 2) * 1e300); });
  const auto all = on_warp([](unsigned i) {
    int same = 0, other = 0;
    const unsigned equal = __match_all_sync(kAll, 7, &same);
    const unsigned different = __match_all_sync(kAll, i, &other);
    return equal == kAll && same && different == 0 && !other;
  });
  for (unsigned i = 0; i < 32; ++i) {
    EXPECT_EQ(any[i], 0xffu << (i / 8 * 8));
    EXPECT_EQ(wide[i], i % 2 ? 0xaaaaaaaau : 0x55555555u);
    EXPECT_TRUE(all[i]);
  }
}

TEST(Warp, Reductions) {
  const unsigned mask = 0x000ffff0u;
  const auto right = on_warp([&](unsigned i) {
    if (!(mask >> i & 1)) return true;
    const int value = static_cast<int>(i) - 10;  // -6 .. 9
    return __reduce_add_sync(mask, value) == 24 && __reduce_min_sync(mask, value) == -6 &&
           __reduce_max_sync(mask, value) == 9 && __reduce_add_sync(mask, i) == 184 &&
           __reduce_min_sync(mask, static_cast<unsigned>(value)) == 0 &&
           __reduce_max_sync(mask, static_cast<unsigned>(value)) == kAll &&
           __reduce_and_sync(mask, i | 64) == 64 && __reduce_or_sync(mask, 1u << i) == mask &&
           __reduce_xor_sync(mask, i == 4 ? 5 : 0) == 5;
  });
  for (bool lane : right) EXPECT_TRUE(lane);
}

TEST(Warp, ActiveMaskPromisesNobodyElse) {
  const auto masks = on_warp([](unsigned) { return __activemask(); });
  for (unsigned i = 0; i < 32; ++i) EXPECT_EQ(masks[i], 1u << i);
}

TEST(Block, Votes) {
  Buffer<int> y(3 * 70);
  for (unsigned seed = 1; seed <= kSeeds; ++seed) {
    launch(1, 70, 0, {.seed = seed}, [&] {
      const unsigned i = threadIdx.x;
      y[i] = __syncthreads_count(i % 2 ? -5 : 0);
      y[70 + i] = __syncthreads_and(i < 70) + 2 * __syncthreads_and(i < 69);
      y[140 + i] = __syncthreads_or(i == 33) + 2 * __syncthreads_or(0);
    });
    for (std::size_t i = 0; i < 70; ++i) {
      ASSERT_EQ(y[i], 35);
      ASSERT_EQ(y[70 + i], 1);
      ASSERT_EQ(y[140 + i], 1);
    }
  }
}

template <class T>
class Atomics : public testing::Test {};
using AtomicTypes = testing::Types<int, unsigned, unsigned long long>;
TYPED_TEST_SUITE(Atomics, AtomicTypes);

TYPED_TEST(Atomics, ManyBlocksLoseNothing) {
  using T = TypeParam;
  Buffer<T> y(9);
  y.fill(0);
  y[2] = 1u << 30;
  y[3] = static_cast<T>(-1);
  launch(50, 64, 0, {}, [&] {
    const auto i = static_cast<T>(blockIdx.x * 64 + threadIdx.x);
    atomicAdd(&y[0], 2);
    atomicMax(&y[1], i);
    atomicMin(&y[2], i + 3);
    atomicAnd(&y[3], ~(T{1} << (i % 16)));
    atomicOr(&y[4], T{1} << (i % 16));
    atomicXor(&y[5], T{1} << (i % 16));
    T old = y[6];
    while (true) {
      const T seen = atomicCAS(&y[6], old, old + 3);
      if (seen == old) break;
      old = seen;
    }
    atomicAdd(&y[7], atomicExch(&y[8], 1) == 0 ? 1 : 0);
  });
  EXPECT_EQ(y[0], 6400u);
  EXPECT_EQ(y[1], 3199u);
  EXPECT_EQ(y[2], 3u);
  EXPECT_EQ(y[3], static_cast<T>(~T{0xffff}));
  EXPECT_EQ(y[4], 0xffffu);
  EXPECT_EQ(y[5], 0u);
  EXPECT_EQ(y[6], 9600u);
  EXPECT_EQ(y[7], 1u);
}

TEST(Atomics, FloatingPointSums) {
  Buffer<float> sum(1);
  Buffer<double> wide(1);
  sum[0] = 0, wide[0] = 0;
  launch(20, 100, 0, {}, [&] {
    atomicAdd(sum.data(), 0.5f);
    atomicAdd(wide.data(), 0.25);
  });
  EXPECT_EQ(sum[0], 1000.0f);
  EXPECT_EQ(wide[0], 500.0);
}

TEST(Numbers, Bits) {
  EXPECT_EQ(__popc(0xf0f0u), 8);
  EXPECT_EQ(__clz(0), 32);
  EXPECT_EQ(__clz(1), 31);
  EXPECT_EQ(__ffs(0), 0);
  EXPECT_EQ(__ffs(8), 4);
  EXPECT_EQ(__brev(1u), 0x80000000u);
  EXPECT_EQ(__umulhi(0x80000000u, 6u), 3u);
  EXPECT_EQ(__umul64hi(1ull << 63, 6ull), 3ull);
  EXPECT_EQ(__byte_perm(0x33221100u, 0x77665544u, 0x7531u), 0x77553311u);
  EXPECT_EQ(__funnelshift_l(0x80000000u, 1u, 1), 3u);
  EXPECT_EQ(__float_as_uint(1.0f), 0x3f800000u);
  EXPECT_EQ(__int_as_float(0x40000000), 2.0f);
  EXPECT_EQ(rsqrtf(4.0f), 0.5f);
  EXPECT_EQ(__fmaf_rn(3.0f, 4.0f, 5.0f), 17.0f);
  static_assert(alignof(float4) == 16 && alignof(float2) == 8 && alignof(float3) == 4);
  static_assert(sizeof(double2) == 16 && alignof(longlong2) == 16 && alignof(uchar4) == 4);
}

TEST(Numbers, Bfloat16RoundsToNearestEven) {
  for (float exact : {0.0f, 1.0f, -2.5f, 0x1.8p100f}) {
    EXPECT_EQ(__bfloat162float(__float2bfloat16_rn(exact)), exact);
  }
  const float unit = 0x1p-7f;  // the distance of two neighbours at 1
  EXPECT_EQ(__bfloat162float(__float2bfloat16_rn(1.0f + 0.5f * unit)), 1.0f);
  EXPECT_EQ(__bfloat162float(__float2bfloat16_rn(1.0f + 0.51f * unit)), 1.0f + unit);
  EXPECT_EQ(__bfloat162float(__float2bfloat16_rn(1.0f + 1.5f * unit)), 1.0f + 2 * unit);
  EXPECT_TRUE(
      std::isnan(__bfloat162float(__float2bfloat16_rn(std::numeric_limits<float>::quiet_NaN()))));
  const float2 pair = __bfloat1622float2(__floats2bfloat162_rn(3.0f, -4.0f));
  EXPECT_EQ(pair.x, 3.0f);
  EXPECT_EQ(pair.y, -4.0f);
}

}  // namespace
}  // namespace simt
