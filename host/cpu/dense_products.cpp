#include "host/cpu/dense_products.hpp"

#include <cblas.h>

#include <algorithm>

#include "host/cpu/backend.hpp"

namespace tern::cpu {

SumView view(const DenseSum& sum) {
  SumView result;
  result.terms.reserve(sum.terms.size());
  for (const auto& [input, weight] : sum.terms)
    result.terms.push_back({view(*input), view(*weight)});
  if (sum.addend != nullptr) result.addend = view(*sum.addend).data;
  if (sum.bias != nullptr) result.bias = view(*sum.bias).data;
  result.empty = sum.empty();
  return result;
}

void multiply(const SumView& sum, std::int64_t begin, std::int64_t rows, std::int64_t stride,
              float* block) {
  bool started = sum.addend != nullptr;
  if (started) std::copy_n(sum.addend + begin * stride, rows * stride, block);
  for (const auto& [input, weight] : sum.terms) {
    if (input.cols == 0 || weight.cols == 0) continue;  // BLAS refuses a stride of 0
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, static_cast<int>(rows),
                static_cast<int>(weight.cols), static_cast<int>(input.cols), 1.0F, input.row(begin),
                static_cast<int>(input.stride), weight.data, static_cast<int>(weight.stride),
                started ? 1.0F : 0.0F, block, static_cast<int>(stride));
    started = true;
  }
  if (!started) std::fill_n(block, rows * stride, 0.0F);
}

void add_weight_gradient(const MatrixView<float>& input, std::int64_t begin, std::int64_t rows,
                         std::int64_t cols, std::int64_t stride, const float* grad, float* sum) {
  if (input.cols == 0 || cols == 0) return;
  cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, static_cast<int>(input.cols),
              static_cast<int>(cols), static_cast<int>(rows), 1.0F, input.row(begin),
              static_cast<int>(input.stride), grad, static_cast<int>(stride), 1.0F, sum,
              static_cast<int>(stride));
}

void write_input_gradient(const MatrixView<float>& weight, DenseTermGradients::Write write,
                          std::int64_t begin, std::int64_t rows, std::int64_t stride,
                          const float* grad, const MatrixView<float>& grad_input) {
  if (grad_input.cols == 0) return;
  const bool adds = write == DenseTermGradients::Write::kAdd;
  if (weight.cols == 0) {
    if (!adds) std::fill_n(grad_input.row(begin), rows * grad_input.stride, 0.0F);
    return;
  }
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, static_cast<int>(rows),
              static_cast<int>(grad_input.cols), static_cast<int>(weight.cols), 1.0F, grad,
              static_cast<int>(stride), weight.data, static_cast<int>(weight.stride),
              adds ? 1.0F : 0.0F, grad_input.row(begin), static_cast<int>(grad_input.stride));
}

}  // namespace tern::cpu
