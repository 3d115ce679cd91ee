// The last launch of in_batch_softmax: pair_scatter.cuh over the gradients that pair_softmax.cu left.

#include "cuda/ops/in_batch_softmax.hpp"
#include "cuda/ops/pair_scatter.cuh"

namespace tern::cuda {
namespace {

struct InBatchSoftmaxScatter : InBatchSoftmaxTask {
  __device__ float4 unit_gradient(int side, std::int64_t t, std::int64_t place) const {
    return softmax_unit_gradient(*this, side, t, place);
  }
};

}  // namespace

void launch_in_batch_softmax_scatter(const Queue& queue, const InBatchSoftmaxTask& task) {
  launch_pair_scatter(queue, InBatchSoftmaxScatter{task});
}

void launch_in_batch_softmax_scatter_fused(const Queue& queue, const InBatchSoftmaxTask& task) {
  launch_pair_scatter_fused(queue, InBatchSoftmaxScatter{task});
}

}  // namespace tern::cuda
