#pragma once

#include "cuda/ops/batch.hpp"
#include "tern/view.hpp"

namespace tern::cuda {

struct Queue;

/// The penalty of the current batch's rows; all pointers on the device.
struct L2PenaltyTask {
  BatchView batch;
  double lambda = 0.0;
  MatrixView<const float> values[2];  // users, items
  MatrixView<float> gradients[2];
  MatrixView<float> losses;  // (2, batches of the epoch)
  double* terms = nullptr;  // (capacity of both sides) workspace: occurrences · ‖row‖² of each row
};

/// loss = λ/(2B) Σ occurrences · ‖row‖²; adds λ/B · occurrences · row to the batch's rows of the
/// gradients, see Backend::l2_penalty.
void launch_l2_penalty(const Queue& queue, const L2PenaltyTask& task);

}  // namespace tern::cuda
