#pragma once

#include <cstdint>
#include <vector>

#include "tern/dense_layer.hpp"
#include "tern/view.hpp"

namespace tern::cpu {

/// A DenseSum as views of memory.
struct SumView {
  struct Term {
    MatrixView<float> input;
    MatrixView<float> weight;
  };
  std::vector<Term> terms;
  const float* addend = nullptr;  // (N, C), null: none
  const float* bias = nullptr;    // (C), null: none
  bool empty = true;
};

SumView view(const DenseSum& sum);

// Products of a block of rows, on the calling thread.

/// block = Σ input · weight + addend for `rows` rows from `begin`; whole strides, without the bias.
void multiply(const SumView& sum, std::int64_t begin, std::int64_t rows, std::int64_t stride,
              float* block);

/// sum += inputᵀ · grad of the block's rows. sum: (F, stride).
void add_weight_gradient(const MatrixView<float>& input, std::int64_t begin, std::int64_t rows,
                         std::int64_t stride, const float* grad, float* sum);

/// The block's rows of grad_input = grad · weightᵀ, or += with Write::kAdd. panel: room for
/// (stride, kPanel).
void write_input_gradient(const MatrixView<float>& weight, DenseTermGradients::Write write,
                          std::int64_t begin, std::int64_t rows, std::int64_t stride,
                          const float* grad, float* panel, const MatrixView<float>& grad_input);

}  // namespace tern::cpu
