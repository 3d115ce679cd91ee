#pragma once

#include "cuda/ops/increment.hpp"
#include "cuda/support/batch.hpp"
#include "tern/view.hpp"

namespace tern::cuda {

struct Queue;

/// The penalty of the current batch's rows; all pointers on the device.
struct L2PenaltyTask {
  BatchView batch;
  int rows_per_triplet = 3;  // 2: pairs; only read in the fused form
  double lambda = 0.0;
  MatrixView<const float> values[2];  // users, items
  MatrixView<float> gradients[2];
  MatrixView<float> losses;  // (2, batches of the epoch)
  /// Workspace: occurrences · ‖row‖² of each distinct row, (capacity of both sides); in the fused
  /// form ‖row‖² of each row of each triplet, (rows_per_triplet · batch_size).
  double* terms = nullptr;
  /// Workspace with several ranks, (ranks): their parts of the sum of the terms.
  double* parts = nullptr;
  /// By side: for a launch of propagate that adds the penalty to its rows.
  RowPlaces places[2] = {};
};

/// The reproducible form, see l2_penalty.cu.
void launch_l2_penalty(const Queue& queue, const L2PenaltyTask& task);
/// Its loss alone, if the terms are there already (propagate's RowUpdate), and the increment of a counter.
void launch_l2_penalty_loss(const Queue& queue, const L2PenaltyTask& task,
                            const IncrementTask& increment = {});

}  // namespace tern::cuda
