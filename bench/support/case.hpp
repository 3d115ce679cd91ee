#pragma once

#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "bench/support/costs.hpp"
#include "bench/support/timer.hpp"
#include "bench/support/workload.hpp"

namespace tern::bench {

/// Which of the device's measured limits a case is compared with (limits.hpp): streams; streams and
/// gathers; these and the product.
enum class Bound : std::uint8_t { kCopy, kGather, kProduct, kNone };

/// A case that is ready to be timed. Its data is owned by its functions.
struct PreparedCase {
  Cost cost;
  /// Poisons what run() overwrites, and restores what it changes: after it, run() gives the result
  /// that verify() expects, however often it has run before. Outputs that nothing wrote are then
  /// wrong. A case without it is refused.
  std::function<void()> reset;
  /// One timed run. May change its data; must be repeatable.
  std::function<void()> run;
  /// Compares the result of reset() and one run() with the reference, before and after the timed
  /// runs. Throws Error if it is wrong, with the op, the element, the found and the expected value.
  std::function<void()> verify;
  /// The table that it mainly reads, at whose size its limits are measured. None: the fastest limits
  /// hold, also those of a batch's rows.
  std::optional<Side> table = std::nullopt;
  /// Null: the case runs through the backend, and the workload's device times it.
  Timer* timer = nullptr;
};

/// The settings besides the width on which a case depends: it is made for each entry of such a list, else once.
struct Axes {
  /// kRead: it runs for each batch size; else for the first one only.
  enum class Batch : std::uint8_t { kIgnored, kRead };
  Batch batch = Batch::kIgnored;
  int layers = 0;                 // 0: it has none
  int negatives = 0;              // for each positive; 0: it has none
  std::string precision = "f32";  // of the rows that it gathers: f32 or bf16
};
/// The axes of a case that depends on the batch alone.
inline const Axes kReadsBatch{.batch = Axes::Batch::kRead};

/// The values for which cases are made, if they have such an axis.
struct AxisLists {
  std::vector<int> layers{3};
  std::vector<int> negatives{1, 16, 64};
  std::vector<std::string> precisions{"f32"};
};

/// One row of the table: an op on one workload by one strategy ("tern", or a rival's name).
struct Case {
  std::string op;
  std::string variant;   // which use of the op: "to_users", "from_batch_to_items"
  std::string strategy;  // "tern", "plain_loop", "eigen", "row_per_warp", ...
  Bound bound = Bound::kCopy;
  /// Called right before the case runs; its data is freed afterwards, so that only one case is in
  /// memory.
  std::function<PreparedCase(Workload&)> prepare;
  Axes axes{};

  std::string name() const { return op + "/" + variant + "/" + strategy; }
};

using Cases = std::vector<Case>;

/// Fills outputs in PreparedCase::reset. An element that an op must not write has it in the expected
/// result too.
inline constexpr double kPoison = std::numeric_limits<double>::quiet_NaN();

/// The kind of device that runs the op: a GPU has other rivals than a CPU.
enum class DeviceKind : std::uint8_t { kCpu, kCuda };

// One for each file in bench/ops: the op through the seam, and its rivals on a CPU. Rivals on a GPU
// come from the library of bench/variants/cuda.
void add_propagate_cases(Cases& cases, DeviceKind device, const AxisLists& lists = {});
void add_linear_relu_batchnorm_cases(Cases& cases, DeviceKind device);
void add_dropout_cases(Cases& cases, DeviceKind device);
void add_sample_cases(Cases& cases, DeviceKind device);
void add_bpr_cases(Cases& cases, DeviceKind device);
void add_in_batch_softmax_cases(Cases& cases, DeviceKind device);
void add_sampled_contrast_cases(Cases& cases, DeviceKind device, const AxisLists& lists = {});
void add_perturb_cases(Cases& cases, DeviceKind device);
void add_normalize_rows_cases(Cases& cases, DeviceKind device);
void add_alignment_uniformity_cases(Cases& cases, DeviceKind device);
void add_info_nce_cases(Cases& cases, DeviceKind device);
void add_l2_penalty_cases(Cases& cases, DeviceKind device);
void add_adam_cases(Cases& cases, DeviceKind device);
void add_sgd_cases(Cases& cases, DeviceKind device);
void add_score_topk_cases(Cases& cases, DeviceKind device);
void add_embedding_statistics_cases(Cases& cases, DeviceKind device);
// The files in bench/steps: gradients of whole models, over many ops.
void add_lightgcn_cases(Cases& cases, DeviceKind device, const AxisLists& lists = {});

}  // namespace tern::bench
