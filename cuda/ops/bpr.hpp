#pragma once

#include "cuda/support/batch.hpp"
#include "tern/view.hpp"

namespace tern::cuda {

struct Queue;

/// The BPR loss of the current batch; all pointers on the device.
struct BprTask {
  BatchView batch;
  MatrixView<const float> users;
  MatrixView<const float> items;
  MatrixView<float> grad_users;
  MatrixView<float> grad_items;
  MatrixView<float> losses;  // (2, batches of the epoch)
  float* weights = nullptr;  // (batch_size) workspace: σ_t / B
  double* terms = nullptr;   // (batch_size) workspace: softplus of each triplet
  float* parts = nullptr;    // (ranks, batch_size) workspace with several ranks: their parts of x_t
};

/// The reproducible form, see bpr.cu.
void launch_bpr(const Queue& queue, const BprTask& task);

}  // namespace tern::cuda
