#pragma once

#include "cuda/ops/batch.hpp"
#include "cuda/ops/bpr.hpp"
#include "cuda/ops/l2_penalty.hpp"
#include "cuda/ops/sample.hpp"

namespace tern::cuda {

struct Queue;

/// Where an epoch's triplets come from; in device memory, so that a recorded step follows the
/// epoch.
struct TripletSource {
  SampleTask sample;               // draws them
  const Triplet* given = nullptr;  // unless the caller brought them: all of the epoch's
};

/// A side of the current batch in the fused form: its distinct rows in no particular order.
struct FusedSide {
  NodeId* rows = nullptr;         // (capacity)
  std::uint8_t* marks = nullptr;  // (nodes, rounded up to 4)
  std::int64_t capacity = 0;
};

/// The drawing of the batch that state->batch names; all pointers on the device.
struct FusedBatchTask {
  const TripletSource* source = nullptr;
  BatchState* state = nullptr;
  Triplet* triplets = nullptr;  // (batch_size): the current batch's
  FusedSide sides[2] = {};      // [Side]
  std::int64_t batch_size = 0;
  std::int64_t num_triplets = 0;  // of the epoch
};

/// Draws the batch, lists and marks its rows: no plan, no sort. state->rows must be zero before.
void launch_fused_batch(const Queue& queue, const FusedBatchTask& task);

/// As launch_bpr, by one kernel with float atomics: not bitwise reproducible.
void launch_bpr_fused(const Queue& queue, const BprTask& task);

/// As launch_l2_penalty, with float atomics for the gradient: not bitwise reproducible.
void launch_l2_penalty_fused(const Queue& queue, const L2PenaltyTask& task);

}  // namespace tern::cuda
