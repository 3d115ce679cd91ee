#pragma once

#include <cstdint>

#include "cuda/support/launch_shape.hpp"
#include "tern/view.hpp"

// Everything of a dense layer beside its products: cuda/dense.cu puts both in a row. Rows N,
// columns C, stride S: C rounded up to whole vectors. All pointers on the device; matrices are (N,
// S).

namespace tern::cuda {

struct Queue;

/// Rows [first, first + count) of a layer's matrices, and how they are cut: stretches of rows, one
/// a block, by their number alone, so that sums have one order on every device; vectors of a row to
/// `lanes` neighbouring threads.
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
  rows.stretch_rows = pieces(count, kMaxStretches);
  if (rows.stretch_rows < kMinRows) rows.stretch_rows = kMinRows;
  rows.stretches = pieces(count, rows.stretch_rows);
  rows.lanes = lanes_for(stride / 4);
  return rows;
}

/// What a kernel makes the layer's value a of.
enum class DenseForm : std::uint8_t {
  kSum,   // a = f(inner + inner_bias)
  kSums,  // a = f(f(inner + inner_bias) + outer + outer_bias)
  /// `inner` holds a, the sign bit set where f(inner sum) is 0: a >= 0 has no use for it. Without
  /// activation: a as it is.
  kSaved
};

/// Matrices and biases (S) of the form; what is null counts as zero. f is ReLU, or nothing.
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

/// Mean and 1 / sqrt(population variance + ε) of every column of a, and the running statistics.
struct DenseStatisticsTask {
  DenseRows rows;
  DenseValues values;         // kSum or kSums
  float* saved = nullptr;     // kSums: a as DenseForm::kSaved has it; may be values.inner
  float* partials = nullptr;  // (2, stretches, S): workspace
  float* mean = nullptr;      // (S), and what follows
  float* inverse_deviation = nullptr;
  float* running_mean = nullptr;
  float* running_variance = nullptr;
  std::int64_t cols = 0;
  double epsilon = 0.0;
  double momentum = 0.0;
};
void launch_dense_statistics(const Queue& queue, const DenseStatisticsTask& task);

/// mean and inverse_deviation of the running statistics, for evaluation.
struct DenseRunningTask {
  const float* running_mean = nullptr;
  const float* running_variance = nullptr;
  float* mean = nullptr;
  float* inverse_deviation = nullptr;
  std::int64_t cols = 0;
  double epsilon = 0.0;
};
void launch_dense_running(const Queue& queue, const DenseRunningTask& task);

/// z from values, normalised where `norm` says how.
struct DenseOutputTask {
  DenseRows rows;
  DenseValues values;
  DenseNorm norm;
  float* saved = nullptr;  // kSums: a is left here as well; null: nowhere. May be values.inner
  float* z = nullptr;      // may be one of the values
};
void launch_dense_output(const Queue& queue, const DenseOutputTask& task);

/// Sums over pieces, in order: out[h] (size) = Σ_p partials[h][p] (size), h < halves; pieces are
/// `step` floats apart. An array of `stride` floats a row, of which `cols` are used: the others
/// become zero.
struct DenseMergeTask {
  const float* partials = nullptr;  // (halves, pieces, step)
  std::int64_t pieces = 0;
  std::int64_t step = 0;
  std::int64_t size = 0;
  std::int64_t cols = 0;
  std::int64_t stride = 0;
  int halves = 1;
  float* out[2] = {nullptr, nullptr};  // null: not wanted
};
void launch_dense_merge(const Queue& queue, const DenseMergeTask& task);

/// Gradients of the layer's sums, see Backend::linear_relu_batchnorm_backward. What is null is not
/// wanted. With normalisation, grad_scale and grad_shift are needed all the same.
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

/// How the rows of inputᵀ · ∂, (F, N) · (N, C), are shared out: a product each, and a sum.
struct WeightCuts {
  std::int64_t split_rows = 0;
  std::int64_t splits = 0;
};
constexpr WeightCuts cut_weight_rows(std::int64_t rows, std::int64_t inner, std::int64_t cols,
                                     std::int64_t most_rows) {
  // Such a product has few elements and a long sum: with a block an output tile of some 64 × 64 it
  // would leave all but a few multiprocessors idle. 512 blocks fill several hundred of them, and
  // their sums take 8 MiB.
  constexpr std::int64_t kTile = 64;
  constexpr std::int64_t kBlocks = 512;
  constexpr std::int64_t kMinRows = 256;
  constexpr std::int64_t kRowUnit = 64;  // so that each begins on 256 bytes
  std::int64_t splits = kBlocks / (pieces(inner, kTile) * pieces(cols, kTile));
  if (splits < 1) splits = 1;
  WeightCuts cuts;
  cuts.split_rows = pieces(pieces(rows, splits), kRowUnit) * kRowUnit;
  if (cuts.split_rows < kMinRows) cuts.split_rows = kMinRows;
  if (cuts.split_rows > most_rows) cuts.split_rows = most_rows;
  cuts.splits = pieces(rows, cuts.split_rows);
  return cuts;
}

}  // namespace tern::cuda
