// The bf16 copy of a matrix (N, D) that propagate gathers from. Copies are always fresh, so that a recorded
// step needs no look at them: propagate, adam and sgd round the rows that they write, and any other op is
// followed by this kernel. Bitwise reproducible.
//
// 4·N·D bytes read, in the cache if an op has just written them, and 2·N·D written; one thread a vector
// of four elements.

#include "cuda/ops/gather_copy.hpp"

#include "cuda/backend.hpp"
#include "cuda/support/bf16.cuh"

namespace tern::cuda {
namespace {

constexpr int kCopyThreads = 256;

__global__ void __launch_bounds__(kCopyThreads)
    gather_copy_kernel(MatrixView<const float> matrix, GatherCopyView copy) {
  const std::int64_t vectors = matrix.stride / kVector;
  const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * kCopyThreads + threadIdx.x;
  if (at < matrix.rows * vectors) {
    store_copy_at(copy, vectors, at, as_vectors(matrix.data)[at]);
  }
}

}  // namespace

void launch_gather_copy(const Queue& queue, const MatrixView<const float>& matrix,
                        const GatherCopyView& copy) {
  const std::int64_t size = matrix.rows * (matrix.stride / kVector);
  if (size == 0 || copy.values == nullptr) return;
  const Launcher launch(queue);
  launch({.blocks = ceil_div(size, kCopyThreads), .threads = kCopyThreads}, gather_copy_kernel,
         matrix, copy);
}

void CudaBackend::refresh_copies(std::initializer_list<const Matrix*> written) {
  for (const Matrix* matrix : written) {
    if (matrix == nullptr) continue;
    const GatherCopyView copy = copy_view(*matrix);
    if (copy.values == nullptr) continue;
    launch_gather_copy(queue(), read_only_view(*matrix), copy);
  }
}

}  // namespace tern::cuda
