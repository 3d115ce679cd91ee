#include "cuda/ops/score_topk.cuh"

#include "cuda/support/error.hpp"
#include "cuda/support/launch.hpp"

namespace tern::cuda {

void launch_score_topk(const Queue& queue, cublasHandle_t cublas, const ScoreTopkTask& task) {
  const auto product = [cublas](const ProductTask& p) {
    if (p.num_queries == 0 || p.items.rows == 0) return;
    // Row-major scores (Q, I) are cuBLAS's column-major (I, Q) = items (I, D) · gatheredᵀ (D, Q).
    const float one = 1.0F;
    const float zero = 0.0F;
    const int items = static_cast<int>(p.items.rows);
    const int stride = static_cast<int>(p.items.stride);
    check(cublasSgemm(cublas, CUBLAS_OP_T, CUBLAS_OP_N, items, static_cast<int>(p.num_queries),
                      static_cast<int>(p.items.cols), &one, p.items.data, stride, p.gathered,
                      stride, &zero, p.scores, items));
  };
  run_score_topk(Launcher(queue), product, task);
}

}  // namespace tern::cuda
