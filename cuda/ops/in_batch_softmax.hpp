#pragma once

#include "cuda/ops/pair_softmax.hpp"
#include "host/backend/negative_share.hpp"
#include "tern/view.hpp"

namespace tern::cuda {

/// The current batch's softmax loss, over the users of its pairs (left) and the items of its columns
/// (right).
struct InBatchSoftmaxTask : SoftmaxTask {
  MatrixView<const float> values[2];  // [Side]
  MatrixView<float> gradients[2];     // [Side]
  MatrixView<float> losses;           // (2 or more, batches of the epoch)
  CsrView by_item;                    // Rᵀ
  float correction = 0.0F;            // c
  NegativeShare negative_share;       // of sampled columns
};

/// The reproducible form, see in_batch_softmax.cu.
void launch_in_batch_softmax(const Queue& queue, const InBatchSoftmaxTask& task);

/// Fills observed_words from the keys of the batch, see in_batch_softmax_observed.cu.
void launch_in_batch_softmax_observed(const Queue& queue, const InBatchSoftmaxTask& task);

/// Fills the gradients at the batch's rows, and the loss, from the results of
/// launch_softmax_passes.
void launch_in_batch_softmax_scatter(const Queue& queue, const InBatchSoftmaxTask& task);
/// The same by float atomics, without the plan of occurrences.
void launch_in_batch_softmax_scatter_fused(const Queue& queue, const InBatchSoftmaxTask& task);

}  // namespace tern::cuda
