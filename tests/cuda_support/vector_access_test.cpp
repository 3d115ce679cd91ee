// vector_access.cuh and dynamic_shared.cuh.
#include "cuda/support/vector_access.cuh"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <numeric>

#include "cuda/support/dynamic_shared.cuh"
#include "simt/buffer.hpp"
#include "simt/simt.hpp"

namespace tern::cuda {
namespace {

enum class Way { plain, readonly, streaming };

template <typename T, Way way>
__global__ void copy_kernel(T* y, const T* x, int packs) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= packs) return;
  const T* from = x + i * Pack<T>::kSize;
  T* to = y + i * Pack<T>::kSize;
  Pack<T> pack = way == Way::plain      ? load_vector(from)
                 : way == Way::readonly ? load_vector_readonly(from)
                                        : load_vector_streaming(from);
  for (int j = 0; j < Pack<T>::kSize; ++j) pack[j] = static_cast<T>(pack[j] + 1);
  if (way == Way::streaming) {
    store_vector_streaming(to, pack);
  } else {
    store_vector(to, pack);
  }
}

template <typename T>
class Vectors : public testing::Test {};
using Types = testing::Types<float, double, int, unsigned short, unsigned char, long long>;
TYPED_TEST_SUITE(Vectors, Types);

TYPED_TEST(Vectors, CopyEveryWay) {
  using T = TypeParam;
  const int packs = 45;
  const std::size_t size = static_cast<std::size_t>(packs * Pack<T>::kSize);
  simt::Buffer<T> x(size), y(size);
  std::iota(x.span().begin(), x.span().end(), T(1));
  for (auto kernel : {copy_kernel<T, Way::plain>, copy_kernel<T, Way::readonly>,
                      copy_kernel<T, Way::streaming>}) {
    y.fill(T(0));
    simt::launch(2, 32, 0, {}, kernel, y.data(), x.data(), packs);
    for (std::size_t i = 0; i < size; ++i) ASSERT_EQ(y[i], static_cast<T>(x[i] + 1)) << i;
  }
}

TEST(Vectors, AnAddressThat16DoesNotDivideIsReported) {
  if (!simt::kWatched) GTEST_SKIP() << "seen in instrumented builds only";
  simt::Buffer<float> x(64), y(64);
  for (auto kernel : {copy_kernel<float, Way::plain>, copy_kernel<float, Way::readonly>,
                      copy_kernel<float, Way::streaming>}) {
    try {
      simt::launch(1, 1, 0, {}, kernel, y.data(), x.data() + 1, 1);
      FAIL() << "not reported";
    } catch (const simt::Error& error) {
      EXPECT_EQ(error.fault(), simt::Fault::misaligned) << error.what();
    }
  }
}

TEST(DynamicShared, HoldsArraysOfSeveralTypes) {
  simt::Buffer<double> y(64);
  simt::launch(1, 64, 64 * (sizeof(float) + sizeof(double)), {}, [&] {
    float* narrow = dynamic_shared<float>();
    double* wide = dynamic_shared<double>(64 * sizeof(float));
    narrow[threadIdx.x] = static_cast<float>(threadIdx.x);
    wide[threadIdx.x] = 2.0 * threadIdx.x;
    __syncthreads();
    y[threadIdx.x] = narrow[63 - threadIdx.x] + wide[63 - threadIdx.x];
  });
  for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(y[i], 3.0 * static_cast<double>(63 - i));
}

}  // namespace
}  // namespace tern::cuda
