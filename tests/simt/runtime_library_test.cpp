// The libraries emulated over the runtime: CUB's device-wide functions, cuBLAS's product.
#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <thrust/iterator/counting_iterator.h>
#include <thrust/iterator/transform_iterator.h>

#include <cstdint>
#include <cub/device/device_radix_sort.cuh>
#include <cub/device/device_scan.cuh>
#include <cub/device/device_segmented_sort.cuh>
#include <cub/device/device_select.cuh>
#include <vector>

#include "library_test.hpp"

namespace simt {
namespace {

class RuntimeLibrary : public LibraryTest {
 protected:
  /// Queries call(temporary, bytes) for its need, checks that it refuses a byte less, and runs it.
  template <class Call>
  void run(const Call& call) {
    std::size_t bytes = 0;
    ASSERT_EQ(call(nullptr, bytes), cudaSuccess);
    ASSERT_GT(bytes, 0u);
    void* temporary = allocate_bytes(bytes);
    std::size_t less = bytes - 1;
    EXPECT_EQ(call(temporary, less), cudaErrorInvalidValue);
    EXPECT_EQ(call(static_cast<std::byte*>(temporary) + 1, bytes), cudaErrorInvalidValue)
        << "storage that is shorter than it says";
    EXPECT_EQ(call(temporary, bytes), cudaSuccess);
  }
};

TEST_F(RuntimeLibrary, SortsPairsStablyByTheirBits) {
  const std::vector<std::uint64_t> keys{0x12, 0x31, 0x02, 0x21, 0x11};
  const auto* in = to_device(keys);
  const auto* values = to_device(std::vector<int>{0, 1, 2, 3, 4});
  auto* out = allocate<std::uint64_t>(5);
  auto* sorted = allocate<int>(5);
  const auto sort = [&](int begin, int end) {
    run([&](void* temporary, std::size_t& bytes) {
      return cub::DeviceRadixSort::SortPairs(temporary, bytes, in, out, values, sorted, 5, begin,
                                             end, stream_);
    });
  };
  sort(0, 4);
  EXPECT_EQ(to_host(sorted, 5), (std::vector<int>{1, 3, 4, 0, 2}));
  sort(4, 8);
  EXPECT_EQ(to_host(sorted, 5), (std::vector<int>{2, 0, 4, 3, 1}));
  sort(0, 64);
  EXPECT_EQ(to_host(sorted, 5), (std::vector<int>{2, 4, 0, 3, 1}));
  EXPECT_EQ(to_host(out, 5), (std::vector<std::uint64_t>{0x02, 0x11, 0x12, 0x21, 0x31}));
  sort(4, 5);
  EXPECT_EQ(to_host(sorted, 5), (std::vector<int>{2, 3, 0, 1, 4})) << "one bit";
  std::size_t bytes = 0;
  EXPECT_EQ(cub::DeviceRadixSort::SortPairs(nullptr, bytes, in, out, values, sorted, 5, 0, 65),
            cudaErrorInvalidValue);
}

TEST_F(RuntimeLibrary, SortsSignedKeysWithNegativesFirst) {
  const auto* in = to_device(std::vector<int>{3, -1, 0, -7});
  auto* out = allocate<int>(4);
  run([&](void* temporary, std::size_t& bytes) {
    return cub::DeviceRadixSort::SortKeys(temporary, bytes, in, out, 4, 0, 32, stream_);
  });
  EXPECT_EQ(to_host(out, 4), (std::vector<int>{-7, -1, 0, 3}));
}

TEST_F(RuntimeLibrary, RefusesArraysThatOverlapOrEndTooSoon) {
  auto* keys = to_device(std::vector<int>{3, 1, 2, 0});
  std::size_t bytes = 0;
  ASSERT_EQ(cub::DeviceRadixSort::SortKeys(nullptr, bytes, keys, keys, 4), cudaSuccess);
  void* temporary = allocate_bytes(bytes);
  const auto sort = [&](const int* in, int* out, std::int64_t count) {
    return cub::DeviceRadixSort::SortKeys(temporary, bytes, in, out, count, 0, 32, stream_);
  };
  EXPECT_EQ(sort(keys, keys + 1, 2), cudaErrorInvalidValue);
  EXPECT_EQ(sort(keys, keys + 2, 3), cudaErrorInvalidValue);
  EXPECT_EQ(sort(keys, keys + 2, 2), cudaSuccess);
  EXPECT_EQ(to_host(keys, 4), (std::vector<int>{3, 1, 1, 3}));
}

TEST_F(RuntimeLibrary, SumsInPlace) {
  auto* values = to_device(std::vector<int>{1, 0, 1, 1, 5});
  run([&](void* temporary, std::size_t& bytes) {
    return cub::DeviceScan::InclusiveSum(temporary, bytes, values, values, 5, stream_);
  });
  EXPECT_EQ(to_host(values, 5), (std::vector<int>{1, 1, 2, 3, 8}));
}

TEST_F(RuntimeLibrary, KeepsTheFirstOfEachRun) {
  const auto* in = to_device(std::vector<int>{4, 4, 1, 1, 1, 4});
  auto* out = allocate<int>(6);
  auto* count = allocate<std::int64_t>(1);
  run([&](void* temporary, std::size_t& bytes) {
    return cub::DeviceSelect::Unique(temporary, bytes, in, out, count, 6, stream_);
  });
  EXPECT_EQ(to_host(count, 1), std::vector<std::int64_t>{3});
  EXPECT_EQ(to_host(out, 3), (std::vector<int>{4, 1, 4}));
}

struct TimesThree {
  std::int64_t operator()(std::int64_t i) const { return 3 * i; }
};

TEST_F(RuntimeLibrary, SortsSegmentsDescending) {
  const auto* in = to_device(std::vector<int>{1, 2, 3, 9, 8, 7, 4, 6, 5});
  auto* out = allocate<int>(9);
  const auto starts = thrust::make_transform_iterator(
      thrust::make_counting_iterator(std::int64_t{0}), TimesThree());
  run([&](void* temporary, std::size_t& bytes) {
    return cub::DeviceSegmentedSort::SortKeysDescending(temporary, bytes, in, out, 9, 3, starts,
                                                        starts + 1, stream_);
  });
  EXPECT_EQ(to_host(out, 9), (std::vector<int>{3, 2, 1, 9, 8, 7, 6, 5, 4}));
}

TEST_F(RuntimeLibrary, FillsTemporaryStorageWithRubbish) {
  const auto* in = to_device(std::vector<int>{2, 1});
  auto* out = allocate<int>(2);
  std::size_t bytes = 0;
  ASSERT_EQ(cub::DeviceRadixSort::SortKeys(nullptr, bytes, in, out, 2), cudaSuccess);
  auto* temporary = to_device(std::vector<char>(bytes, 0));
  ASSERT_EQ(cub::DeviceRadixSort::SortKeys(temporary, bytes, in, out, 2, 0, 32, stream_),
            cudaSuccess);
  for (const char byte : to_host(temporary, bytes)) EXPECT_NE(byte, 0);
}

/// C = alpha op(A) op(B) + beta C from the definition; op(X)(r, c) lies at x[r + c·ld] or
/// x[c + r·ld].
TEST_F(RuntimeLibrary, MultipliesColumnMajorMatricesPlainOrTransposed) {
  constexpr int m = 3, n = 2, k = 6, lda = 7, ldb = 8, ldc = 4;
  std::vector<float> a(lda * 7), b(ldb * 8);
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i % 11) - 4;
  for (std::size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(i % 7) - 2;
  const std::vector<float> c(ldc * n, 5);
  cublasHandle_t handle = nullptr;
  ASSERT_EQ(cublasCreate(&handle), CUBLAS_STATUS_SUCCESS);
  ASSERT_EQ(cublasSetStream(handle, stream_), CUBLAS_STATUS_SUCCESS);
  for (const auto op_a : {CUBLAS_OP_N, CUBLAS_OP_T}) {
    for (const auto op_b : {CUBLAS_OP_N, CUBLAS_OP_T}) {
      for (const float beta : {0.0f, 2.0f}) {
        const float alpha = 0.5f;
        auto* out = to_device(c);
        ASSERT_EQ(cublasSgemm_64(handle, op_a, op_b, m, n, k, &alpha, to_device(a), lda,
                                 to_device(b), ldb, &beta, out, ldc),
                  CUBLAS_STATUS_SUCCESS);
        std::vector<float> expected = c;
        for (int j = 0; j < n; ++j) {
          for (int i = 0; i < m; ++i) {
            float sum = beta * c[i + j * ldc];
            for (int l = 0; l < k; ++l) {
              sum += alpha * (op_a == CUBLAS_OP_N ? a[i + l * lda] : a[l + i * lda]) *
                     (op_b == CUBLAS_OP_N ? b[l + j * ldb] : b[j + l * ldb]);
            }
            expected[i + j * ldc] = sum;
          }
        }
        EXPECT_EQ(to_host(out, c.size()), expected);
      }
    }
  }
  const float one = 1.0f;
  const auto product = [&](std::int64_t lda_, std::int64_t ldc_, float* out) {
    return cublasSgemm_64(handle, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &one, to_device(a), lda_,
                          to_device(b), ldb, &one, out, ldc_);
  };
  EXPECT_EQ(product(m - 1, ldc, to_device(c)), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(product(lda, m - 1, to_device(c)), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(product(lda, ldc, allocate<float>(ldc + m - 1)), CUBLAS_STATUS_EXECUTION_FAILED);
  EXPECT_EQ(product(20, ldc, to_device(c)), CUBLAS_STATUS_EXECUTION_FAILED) << "A is shorter";
  EXPECT_EQ(cublasDestroy(handle), CUBLAS_STATUS_SUCCESS);
}

}  // namespace
}  // namespace simt
