#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bench/support/costs.hpp"
#include "bench/support/timer.hpp"
#include "bench/support/workload.hpp"

namespace tern::bench {

/// Which measured limit of the device a case is held against.
enum class Bound : std::uint8_t { kCopy, kGather, kProduct, kNone };

/// A case that is ready to be timed. What it works on lives in what the functions hold.
struct PreparedCase {
  Cost cost;
  /// Runs once, checks the result against the reference, and throws Error where it is wrong: with
  /// the op, the element, what was found and what was expected.
  std::function<void()> verify;
  /// One timed run. May leave its result; must be repeatable.
  std::function<void()> run;
  /// Null: it runs through the backend, and the workload's device has a timer for that.
  Timer* timer = nullptr;
};

/// One row of the table: an op on one workload, by one strategy ("tern", or a rival's name).
struct Case {
  std::string op;
  std::string variant;   // what of the op: "to_users", "from_batch_to_items"
  std::string strategy;  // "tern", "plain_loop", "eigen", "row_per_warp", ...
  Bound bound = Bound::kCopy;
  /// Made when its turn comes and freed after it, so that cases do not add up in memory.
  std::function<PreparedCase(Workload&)> prepare;

  std::string name() const { return op + "/" + variant + "/" + strategy; }
};

using Cases = std::vector<Case>;

/// Who runs the op: the rivals that have a chance are others on a GPU.
enum class DeviceKind : std::uint8_t { kCpu, kCuda };

// One a file in bench/ops. What runs through the seam, and the rivals of it on a CPU; those on a
// GPU come from the library of bench/variants/cuda.
void add_propagate_cases(Cases& cases, DeviceKind device);
void add_linear_relu_batchnorm_cases(Cases& cases, DeviceKind device);
void add_dropout_cases(Cases& cases, DeviceKind device);
void add_sample_cases(Cases& cases, DeviceKind device);
void add_bpr_cases(Cases& cases, DeviceKind device);
void add_l2_penalty_cases(Cases& cases, DeviceKind device);
void add_adam_cases(Cases& cases, DeviceKind device);
void add_sgd_cases(Cases& cases, DeviceKind device);
void add_score_topk_cases(Cases& cases, DeviceKind device);
void add_embedding_statistics_cases(Cases& cases, DeviceKind device);

}  // namespace tern::bench
