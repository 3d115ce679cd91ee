#pragma once

#include <cstdint>

#include "tern/storage.hpp"
#include "tern/types.hpp"

namespace tern {

struct PairProgram;

// Options of the ops in tern/backend.hpp.

/// The numbers as which `propagate` reads the elements of its source.
enum class GatherPrecision : std::uint8_t {
  kOwn,  // the backend's own
  /// Rounded to f32, then to 8 significant bits, to nearest, ties to even; NaN and infinity stay.
  kBf16,
};

/// Options of `allocate`.
struct MatrixOptions {
  /// How propagate reads the matrix as its source. All other ops, and downloads, read it unrounded.
  GatherPrecision gather = GatherPrecision::kOwn;
  /// Ranks that share the columns of matrices among them each hold this one whole: losses by step, scales by
  /// node, features. Without ranks it means nothing.
  bool replicated = false;
};

/// How the rows of A are scaled in `propagate`.
enum class Normalization : std::uint8_t {
  kDegree,  // s = 1/sqrt(degree) on both sides, 0 for degree 0
  kNone,    // s = 1: the plain product with R or Rᵀ, such as 0/1 features times weights
  kGiven,   // s as in PropagateOptions::to_scales and from_scales
};

/// Options of `propagate`, which by default computes the normalised product alone.
struct PropagateOptions {
  Normalization normalization = Normalization::kDegree;
  /// Only for kGiven: s of the rows of y and of x, (1, nodes of the side), never y itself. The caller
  /// makes them finite, and 0 for degree 0, as kDegree does: propagate does not check it. It reads the
  /// scales of the rows of y that it writes and of the rows of x that it reads, no others.
  const Matrix* to_scales = nullptr;
  const Matrix* from_scales = nullptr;
  /// Only these rows of y are written; the others keep their content. Null: every row.
  const RowSet* to = nullptr;
  /// Only these rows of x are read; the others count as zero, whatever they hold. Null: every row.
  const RowSet* from = nullptr;
  /// Added to the product before scaling; same shape as y, never y itself. Null: nothing.
  const Matrix* addend = nullptr;
  /// Only these rows of the addend are read; the others count as zero. Null: every row.
  const RowSet* addend_rows = nullptr;
  double scale = 1.0;
};

/// Options of `dropout`.
struct DropoutOptions {
  enum class Unit : std::uint8_t {
    kElement,  // elements; those kept are divided by 1 - probability (torch.nn.Dropout)
    kRow,      // whole rows; those kept stay as they are
  };
  /// In [0, 1).
  double probability = 0.0;
  Unit unit = Unit::kElement;
  Seed seed{};
  /// The number of the place in the model, below 2¹⁶: each place has draws of its own.
  std::uint32_t place = 0;
};

/// Columns that leave the sum of row t of `in_batch_softmax`, besides t itself.
enum class SoftmaxMask : std::uint8_t {
  kNone,
  kSameItem,  // columns with the row's own item
  kObserved,  // columns with an item that the row's user has in the graph
};

/// The items that each pair of `in_batch_softmax` is set against.
enum class SoftmaxColumns : std::uint8_t {
  kPairs,  // those of the batch's other pairs
  /// These, and the sampled negatives of all pairs.
  kPairsAndNegatives,
};

/// How much a pair (u, p) with cosine s⁺ counts in a loss: w = sigmoid((s⁺ - β_u) / τ_w), so that
/// pairs near the top of the user's ranking, or in it, count most. w is part of what is derived.
struct PairWeight {
  /// β: (1, U). Null: every pair counts 1.
  const Matrix* thresholds = nullptr;
  double temperature = 1.0;  // τ_w > 0
};

/// Options of `in_batch_softmax`.
struct InBatchSoftmaxOptions {
  double temperature = 0.1;      // τ > 0
  double negative_weight = 1.0;  // t₂ >= 0; 1: SL, else BSL
  SoftmaxMask mask = SoftmaxMask::kNone;
  SoftmaxColumns columns = SoftmaxColumns::kPairs;
  /// c >= 0: how much of log q_j leaves the logits of column j.
  double popularity_correction = 0.0;
  PairWeight pair_weight = {};
};

/// Options of `alignment_uniformity`.
struct AlignmentUniformityOptions {
  double uniformity_weight = 1.0;  // γ >= 0
};

/// The loss that `sampled_contrast` computes.
enum class SampledContrastKind : std::uint8_t {
  kSoftmax,
  kCosineContrastive,  // CCL
  kExpression,         // the caller's
};

/// The score of a user and an item in `sampled_contrast`.
enum class PairSimilarity : std::uint8_t {
  kCosine,  // û·î
  kDot,     // u·i
};

/// Options of `sampled_contrast`.
struct SampledContrastOptions {
  SampledContrastKind kind = SampledContrastKind::kSoftmax;
  double temperature = 0.1;      // τ > 0; only for kSoftmax
  double margin = 0.0;           // m in [-1, 1]; only for kCosineContrastive
  double negative_weight = 1.0;  // t₂ or w, >= 0
  /// Only for kSoftmax.
  PairWeight pair_weight = {};
  /// Only for kExpression, read during the call: Expression::compile() of tern/expression.hpp.
  const PairProgram* program = nullptr;
  /// kDot only for kExpression.
  PairSimilarity similarity = PairSimilarity::kCosine;
};

/// Options of `info_nce`.
struct InfoNceOptions {
  double temperature = 0.2;  // τ > 0
  double weight = 1.0;       // λ >= 0
};

/// Options of `perturb`.
struct PerturbOptions {
  double magnitude = 0.1;  // ε >= 0
  Seed seed{};
  /// The number of the place in the model, below 2¹⁶: each place has draws of its own.
  std::uint32_t place = 0;
};

/// A weighted sum that an op adds a matrix to, such as the mean over layers.
struct RowSum {
  enum class Begin : std::uint8_t {
    kAtZero,  // the sum is overwritten, never read
    kAtSum,
  };
  /// The shape of the matrix. Null: nothing is added.
  Matrix* sum = nullptr;
  double weight = 1.0;
  Begin begin = Begin::kAtSum;
  /// Only these rows of the sum are read and written. Null: every row that the op covers.
  const RowSet* rows = nullptr;
};

/// What `normalize_rows_backward` adds to its result.
struct RowAddend {
  /// Null: nothing.
  const Matrix* matrix = nullptr;
  double weight = 1.0;
  /// Only these rows of the matrix are read; the others count as zero. Null: every row.
  const RowSet* rows = nullptr;
};

struct AdamOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  /// Adds weight_decay · parameter to the gradient (PyTorch's Adam; not AdamW).
  double weight_decay = 0.0;
};

struct SgdOptions {
  double learning_rate = 1e-2;
  double momentum = 0.0;
  double weight_decay = 0.0;
};

}  // namespace tern
