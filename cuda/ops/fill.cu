// fill: sets every element of a matrix (N, D) to one value; the padding becomes zero. Bitwise
// reproducible. 4·N·D bytes written, one thread a vector.

#include "cuda/ops/fill.hpp"

#include "cuda/backend.hpp"
#include "cuda/support/vector.cuh"

namespace tern::cuda {
namespace {

constexpr int kFillThreads = 256;

__global__ void __launch_bounds__(kFillThreads) fill_kernel(MatrixView<float> matrix, float value) {
  const std::int64_t vectors = matrix.stride / kVector;
  const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * kFillThreads + threadIdx.x;
  if (at >= matrix.rows * vectors) return;
  const std::int64_t used = matrix.cols - at % vectors * kVector;
  as_vectors(matrix.data)[at] =
      make_float4(value, used > 1 ? value : 0.0F, used > 2 ? value : 0.0F, used > 3 ? value : 0.0F);
}

}  // namespace

void launch_fill(const Queue& queue, const MatrixView<float>& matrix, float value) {
  const std::int64_t size = matrix.rows * (matrix.stride / kVector);
  const Launcher launch(queue);
  launch({.blocks = ceil_div(size, kFillThreads), .threads = kFillThreads}, fill_kernel, matrix,
         value);
}

void CudaBackend::fill(Matrix& matrix, double value) {
  const MatrixView<float> v = view(matrix);
  const DeviceScope scope = use_device();
  launch_fill(queue(), v, static_cast<float>(value));
  refresh_copies({&matrix});
}

/// Padding is zero as long as all numbers are finite; a weight that is not turns it into NaN (0 ·
/// ∞). A matrix whose elements are all written anew must lose such padding.
void CudaBackend::clear_padding(const MatrixView<float>& matrix) {
  if (matrix.cols < matrix.stride) launch_fill(queue(), matrix, 0.0F);
}

}  // namespace tern::cuda
