#pragma once

#include <cstdint>
#include <optional>

#include "cuda/ops/adam.hpp"
#include "cuda/ops/increment.hpp"
#include "cuda/ops/l2_penalty.hpp"
#include "cuda/ops/propagate.hpp"
#include "cuda/support/launch.hpp"

namespace tern::cuda {

/// Ops of a recorded step that are not launched yet, as ops after them may share their launch:
///
///  - two propagations, such as both directions of a layer, if neither needs the other's result, and both
///    or neither gather from bf16 copies;
///  - then the L2 penalty, if it adds to the results of both;
///  - then the increment of a counter, if the penalty waits: the launch that sums the penalty's loss makes
///    it, after Adam's step, which counts it in advance (AdamTask::uncounted);
///  - then Adam, with these results as gradients.
///
/// Their matrices outlive the recording (Backend::record); each, and its bf16 copy, gets the bits of ops
/// that are launched one by one. A launch of its own costs each op microseconds in which the GPU starts and
/// drains, and Adam in the propagation reads no gradient.
class PendingOps {
 public:
  /// Whether a propagation can share the launch of the one that waits.
  bool accepts(const PropagateTask& task) const;
  /// Lets a propagation wait. Before, everything that waits is launched unless it accepts the task.
  void add(const PropagateTask& task);
  /// Lets an op wait if it can share the launch of those that wait; false: it must be launched.
  bool take(const L2PenaltyTask& task);
  bool take(const IncrementTask& task);
  bool take(const AdamTask& task);
  /// Whether an op that waits reads a counter, or changes it.
  bool uses(const std::int64_t* counter) const;
  /// Launches everything that waits.
  void launch(const Queue& queue);

 private:
  /// The propagation that writes this array entirely, finishing whole rows; -1: none.
  int source_of(const float* array) const;
  bool touches(const float* array) const;
  int penalized_side(const float* gradient) const;
  bool updates_all() const;
  RowUpdate update_of(int task) const;

  PropagateTask tasks_[2];
  int count_ = 0;
  std::optional<L2PenaltyTask> penalty_;
  IncrementTask increment_;
  AdamTask adams_[2];  // by propagation; parameter null: none
};

}  // namespace tern::cuda
