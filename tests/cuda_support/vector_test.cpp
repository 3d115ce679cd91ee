// vector.cuh.
#include "cuda/support/vector.cuh"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>

#include "simt/buffer.hpp"
#include "simt/simt.hpp"

namespace tern::cuda {
namespace {

using Four = std::array<float, 4>;

Four to_array(float4 v) {
  return {v.x, v.y, v.z, v.w};
}

const float4 kX = make_float4(1, 2, 3, 4);
const float4 kY = make_float4(10, -20, 30, -40);

TEST(Vector, WorksElementByElement) {
  EXPECT_EQ(to_array(add(kX, kY)), (Four{11, -18, 33, -36}));
  EXPECT_EQ(to_array(subtract(kX, kY)), (Four{-9, 22, -27, 44}));
  EXPECT_EQ(to_array(scale(-2, kX)), (Four{-2, -4, -6, -8}));
  EXPECT_EQ(to_array(fma(3, kX, kY)), (Four{13, -14, 39, -28}));
  EXPECT_EQ(dot(kX, kY, 5.0F), 5 + 10 - 40 + 90 - 160);
}

TEST(Vector, FmaAndDotRoundOnce) {
  // 1 + 2⁻¹² squared needs 25 bits: rounded by itself, it would lose the last one.
  const float x = 1.0F + 0x1p-12F;
  const float4 all = make_float4(x, x, x, x);
  const float minus = -(1.0F + 0x1p-11F);
  EXPECT_EQ(to_array(fma(x, all, make_float4(minus, minus, minus, minus))),
            (Four{0x1p-24F, 0x1p-24F, 0x1p-24F, 0x1p-24F}));
  for (int place = 0; place < 4; ++place) {
    Four one{};
    one[static_cast<std::size_t>(place)] = x;
    EXPECT_EQ(dot(make_float4(one[0], one[1], one[2], one[3]), all, minus), 0x1p-24F) << place;
  }
}

__global__ void double_kernel(float* y, const float* x, int vectors) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < vectors) as_vectors(y)[i] = scale(2.0F, as_vectors(x)[i]);
}

__global__ void add_up_kernel(float* sums, float4 term) {
  atomic_add(as_vectors(sums), term);
}

TEST(Vector, RowsAreVectors) {
  simt::Buffer<float> x(180), y(180);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
  simt::launch(2, 32, 0, {}, double_kernel, y.data(), x.data(), 45);
  for (std::size_t i = 0; i < y.size(); ++i) ASSERT_EQ(y[i], static_cast<float>(2 * i));
}

TEST(Vector, AtomicAddLosesNothing) {
  simt::Buffer<float> sums(4);
  sums.fill(0.5F);
  simt::launch(7, 64, 0, {}, add_up_kernel, sums.data(), kX);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(sums[i], 0.5F + 448.0F * static_cast<float>(i + 1));
  }
}

TEST(Vector, AnAddressThat16DoesNotDivideIsReported) {
  if (!simt::kWatched) GTEST_SKIP() << "seen in instrumented builds only";
  simt::Buffer<float> x(64), y(64);
  try {
    simt::launch(1, 32, 0, {}, double_kernel, y.data(), x.data() + 2, 8);
    FAIL() << "ran";
  } catch (const simt::Error& error) {
    EXPECT_EQ(error.fault(), simt::Fault::misaligned) << error.what();
  }
}

}  // namespace
}  // namespace tern::cuda
