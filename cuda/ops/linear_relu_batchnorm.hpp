#pragma once

#include <cstdint>

#include "cuda/support/launch_shape.hpp"
#include "tern/view.hpp"

// The passes of linear_relu_batchnorm beside its products. Rows N, columns C, stride S: C rounded
// up to whole vectors. All pointers are on the device; matrices are (N, S).

namespace tern::cuda {

struct Queue;

/// Rows [first, first + count) of a layer's matrices, and how they are cut: into stretches, one a
/// block, and each row to `lanes` neighbouring threads. The stretches depend on the count alone, so
/// that sums have one order on every device.
struct DenseRows {
  std::int64_t first = 0;
  std::int64_t count = 0;
  std::int64_t stride = 0;
  std::int64_t stretch_rows = 0;
  std::int64_t stretches = 0;
  int lanes = 1;
};
constexpr DenseRows cut_dense_rows(std::int64_t count, std::int64_t stride) {
  // As cut_statistics (embedding_statistics.hpp): enough stretches to fill a GPU of some hundred
  // multiprocessors, few enough to merge in order.
  constexpr std::int64_t kMaxStretches = 1024;
  constexpr std::int64_t kMinRows = 64;
  DenseRows rows{.count = count, .stride = stride};
  rows.stretch_rows = ceil_div(count, kMaxStretches);
  if (rows.stretch_rows < kMinRows) rows.stretch_rows = kMinRows;
  rows.stretches = ceil_div(count, rows.stretch_rows);
  rows.lanes = lanes_for(stride / 4);
  return rows;
}

/// The inputs from which a kernel computes the layer's value a.
enum class DenseForm : std::uint8_t {
  kSum,   // a = f(inner + inner_bias)
  kSums,  // a = f(f(inner + inner_bias) + outer + outer_bias)
  /// `inner` holds a, with the sign bit set if f(inner sum) is 0: a >= 0 does not need the bit.
  /// Without activation it holds a as it is.
  kSaved
};

/// The matrices and biases (S) of a form; null counts as zero. f is ReLU, or the identity.
struct DenseValues {
  DenseForm form = DenseForm::kSum;
  bool relu = false;
  const float* inner = nullptr;
  const float* inner_bias = nullptr;
  const float* outer = nullptr;
  const float* outer_bias = nullptr;
};

/// Batch normalisation, (S) each: x̂ = (a - mean) · inverse_deviation, z = scale · x̂ + shift.
struct DenseNorm {
  const float* mean = nullptr;  // null: no normalisation
  const float* inverse_deviation = nullptr;
  const float* scale = nullptr;
  const float* shift = nullptr;
};

/// Computes mean and 1 / sqrt(population variance + ε) of every column of a, and moves the running
/// statistics on.
struct DenseStatisticsTask {
  DenseRows rows;
  DenseValues values;         // kSum or kSums
  float* saved = nullptr;     // kSums: a, in the form of kSaved; may be values.inner
  float* partials = nullptr;  // (2, stretches, S): workspace
  float* mean = nullptr;      // (S), as the three below
  float* inverse_deviation = nullptr;
  float* running_mean = nullptr;
  float* running_variance = nullptr;
  std::int64_t cols = 0;
  double epsilon = 0.0;
  double momentum = 0.0;
};
void launch_dense_statistics(const Queue& queue, const DenseStatisticsTask& task);

/// For evaluation: mean and inverse_deviation from the running statistics.
struct DenseRunningTask {
  const float* running_mean = nullptr;
  const float* running_variance = nullptr;
  float* mean = nullptr;
  float* inverse_deviation = nullptr;
  std::int64_t cols = 0;
  double epsilon = 0.0;
};
void launch_dense_running(const Queue& queue, const DenseRunningTask& task);

/// z from the values, normalised if norm.mean is set.
struct DenseOutputTask {
  DenseRows rows;
  DenseValues values;
  DenseNorm norm;
  float* saved = nullptr;  // kSums: a is written here too, unless null; may be values.inner
  float* z = nullptr;      // may be one of the values
};
void launch_dense_output(const Queue& queue, const DenseOutputTask& task);

/// Sums parts in order: out[h] (size) = Σ_p partials[h][p] (size), h < halves; parts are `step`
/// floats apart. `out` has rows of `stride` floats, of which `cols` are used; the others become
/// zero.
struct DenseMergeTask {
  const float* partials = nullptr;  // (halves, parts, step)
  std::int64_t parts = 0;
  std::int64_t step = 0;
  std::int64_t size = 0;
  std::int64_t cols = 0;
  std::int64_t stride = 0;
  int halves = 1;
  float* out[2] = {nullptr, nullptr};  // null: not wanted
};
void launch_dense_merge(const Queue& queue, const DenseMergeTask& task);

/// Gradients of the layer's sums, see Backend::linear_relu_batchnorm_backward. Results that are
/// null are not written; with normalisation grad_scale and grad_shift must not be null.
struct DenseGradientTask {
  DenseRows rows;
  DenseValues values;  // kSum or kSaved
  DenseNorm norm;
  std::int64_t cols = 0;
  const float* grad_z = nullptr;
  float* partials = nullptr;    // (2, stretches, S): workspace
  float* grad_scale = nullptr;  // (S) each, from here
  float* grad_shift = nullptr;
  float* grad_inner_bias = nullptr;
  float* grad_outer_bias = nullptr;
  float* grad_inner = nullptr;  // (N, S)
  float* grad_outer = nullptr;
};
void launch_dense_gradient(const Queue& queue, const DenseGradientTask& task);

/// Floats of workspace for the partial sums of these rows.
constexpr std::int64_t dense_partials_size(const DenseRows& rows) {
  return 2 * rows.stretches * rows.stride;
}

/// How the rows N of the product inputᵀ · ∂, (F, N) · (N, C), are split: one product for each part.
struct WeightCuts {
  std::int64_t split_rows = 0;
  std::int64_t splits = 0;
};
constexpr WeightCuts cut_weight_rows(std::int64_t rows, std::int64_t inner, std::int64_t cols,
                                     std::int64_t max_rows) {
  // Such a product has few elements and a long sum. With one block for each output tile of about
  // 64 × 64 it would leave all but a few multiprocessors idle. 512 blocks fill several hundred of
  // them, and their sums take 8 MiB.
  constexpr std::int64_t kTile = 64;
  constexpr std::int64_t kBlocks = 512;
  constexpr std::int64_t kMinRows = 256;
  constexpr std::int64_t kRowUnit = 64;  // so that each begins on 256 bytes
  std::int64_t splits = kBlocks / (ceil_div(inner, kTile) * ceil_div(cols, kTile));
  if (splits < 1) splits = 1;
  WeightCuts cuts;
  cuts.split_rows = ceil_div(ceil_div(rows, splits), kRowUnit) * kRowUnit;
  if (cuts.split_rows < kMinRows) cuts.split_rows = kMinRows;
  if (cuts.split_rows > max_rows) cuts.split_rows = max_rows;
  cuts.splits = ceil_div(rows, cuts.split_rows);
  return cuts;
}

}  // namespace tern::cuda
