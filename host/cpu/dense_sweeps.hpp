#pragma once

#include <cstdint>

namespace tern::cpu {

// The steps of a dense layer besides its products, each one sweep over a block of rows: SIMD along
// the columns, whole strides. Sums of columns are in f32, over the rows of the block in order.

struct CombineTask {
  std::int64_t rows = 0;
  std::int64_t stride = 0;
  const float* inner = nullptr;  // (rows, stride): the sums without their biases
  const float* outer = nullptr;  // null: no outer sum
  const float* inner_bias = nullptr;
  const float* outer_bias = nullptr;
  bool relu = true;
  float* plain = nullptr;   // out: a; may be `inner`
  float* active = nullptr;  // out: a with the inner mask in its sign (DenseStateStorage), or null
};

/// plain = f(f(inner + bias) + outer + bias).
void combine_block(const CombineTask& task);

/// sums = Σ_rows block.
void sum_columns(const float* block, std::int64_t rows, std::int64_t stride, float* sums);

/// sums = Σ_rows (block - about), squares = Σ_rows (block - about)².
void sum_deviations(const float* block, std::int64_t rows, std::int64_t stride, const float* about,
                    float* sums, float* squares);

/// Rows of a, and the columns that normalise them: x̂ = (a - mean - mean_rest) · inverse.
struct NormRows {
  std::int64_t rows = 0;
  std::int64_t stride = 0;
  const float* active = nullptr;
  bool relu = true;  // the sign of `active` is a mask
  const float* mean = nullptr;
  const float* mean_rest = nullptr;
  const float* inverse = nullptr;
};

/// z = (a - mean - mean_rest) · scale + shift. streams: bypasses the caches, for a z larger than
/// the caches.
void normalize_rows(const NormRows& rows, const float* scale, const float* shift, bool streams,
                    float* z);

/// of_scale = Σ_rows grad ⊙ x̂, of_shift = Σ_rows grad.
void sum_norm_gradients(const NormRows& rows, const float* grad, float* of_scale, float* of_shift);

struct MaskTask {
  const float* grad_z = nullptr;
  /// ∂a = scale · grad_z - (shift + x̂ · slope), rounded once at the end: all rows of a column
  /// subtract nearly the same number, whose rounding errors would add up. Null: ∂a = grad_z.
  const float* scale = nullptr;
  const float* shift = nullptr;
  const float* slope = nullptr;
  float* outer = nullptr;  // out: ∂outer; null: there is no outer sum
  float* inner = nullptr;  // out: ∂inner
};

/// ∂outer and ∂inner of rows; without ReLU both are ∂a.
void mask_gradients(const NormRows& rows, const MaskTask& task);

}  // namespace tern::cpu
