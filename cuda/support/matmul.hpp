#pragma once

#include <cublasLt.h>

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <type_traits>

#include "cuda/support/launch.hpp"
#include "cuda/support/resources.hpp"

namespace tern::cuda {

namespace detail {
/// The library's handle is destroyed on the device that it was created on; the other objects exist on
/// the host alone.
struct DestroyMatmul {
  int device = current_device();

  void operator()(cublasLtHandle_t handle) const noexcept {
    destroy_on(device, [&] { (void)cublasLtDestroy(handle); });
  }
  void operator()(cublasLtMatmulDesc_t description) const noexcept {
    (void)cublasLtMatmulDescDestroy(description);
  }
  void operator()(cublasLtMatrixLayout_t layout) const noexcept {
    (void)cublasLtMatrixLayoutDestroy(layout);
  }
  void operator()(cublasLtMatmulPreference_t preference) const noexcept {
    (void)cublasLtMatmulPreferenceDestroy(preference);
  }
};
template <typename Handle>
using UniqueMatmul = std::unique_ptr<std::remove_pointer_t<Handle>, DestroyMatmul>;
}  // namespace detail

enum class Transposed : std::uint8_t { kNo, kYes };

/// A factor of a product: X or Xᵀ, X row-major with rows `stride` floats apart. In a batch each
/// matrix begins `step` floats after the one before.
struct Factor {
  Transposed transposed = Transposed::kNo;
  std::int64_t stride = 0;
  std::int64_t step = 0;

  auto operator<=>(const Factor&) const = default;
};

/// A product without its arrays: out (rows, cols) = left (rows, depth) · right (depth, cols),
/// row-major; none of the three sizes is zero.
struct ProductShape {
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t depth = 0;
  Factor left;
  Factor right;
  Factor out;  // never transposed
  std::int32_t batch = 1;
  bool with_bias = false;

  auto operator<=>(const ProductShape&) const = default;
};

/// The arrays of a product, 256-byte aligned.
struct ProductArrays {
  const float* left = nullptr;
  const float* right = nullptr;
  float* out = nullptr;
  /// Added to the product; of out's shape, and either out itself or no part of it. Null: nothing.
  const float* addend = nullptr;
  /// (cols), added to every row if ProductShape::with_bias is set.
  const float* bias = nullptr;
};

/// f32 products by cuBLASLt, without TF32. The algorithm for a shape is chosen once, when the shape
/// is first seen, and kept; none may use atomics, and all use one workspace: the same bits every
/// time. Padding of `out` is left as it is.
class Matmul {
 public:
  /// The most rows, and the greatest depth, of one call; callers split longer products. cuBLASLt
  /// takes 64-bit sizes, but some of its algorithms have failed above 65535 · 32, where PyTorch
  /// avoids it (its pull request 82922).
  static constexpr std::int64_t kMaxRows = std::int64_t{1} << 20;

  /// Products run on the queue; memory is of the same stream.
  Matmul(const Memory& memory, const Queue& queue);

  /// Whether the shape has been seen.
  bool knows(const ProductShape& shape) const { return plans_.contains(shape); }
  /// Whether the library supports the shape; chooses the algorithm if the shape is new. Must not be
  /// called while a graph is captured.
  bool serves(const ProductShape& shape);
  /// Puts the product on the stream. Throws DeviceError if the library does not support the shape.
  void run(const ProductShape& shape, const ProductArrays& arrays);

 private:
  struct Plan {
    detail::UniqueMatmul<cublasLtMatmulDesc_t> description;
    detail::UniqueMatmul<cublasLtMatrixLayout_t> left;
    detail::UniqueMatmul<cublasLtMatrixLayout_t> right;
    detail::UniqueMatmul<cublasLtMatrixLayout_t> out;
    bool served = false;
    cublasLtMatmulAlgo_t algorithm{};
  };
  Plan make_plan(const ProductShape& shape) const;
  void choose_algorithm(Plan& plan) const;
  Plan& plan_of(const ProductShape& shape);

  Queue queue_;
  DeviceArray<std::uint8_t> workspace_;
  detail::UniqueMatmul<cublasLtHandle_t> handle_;
  std::map<ProductShape, Plan> plans_;
};

}  // namespace tern::cuda
