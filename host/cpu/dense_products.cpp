#include "host/cpu/dense_products.hpp"

#include <algorithm>

#include "host/cpu/backend.hpp"
#include "host/cpu/table_products.hpp"

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
  const ProductKernels products = choose_product_kernels();
  bool started = sum.addend != nullptr;
  if (started) std::copy_n(sum.addend + begin * stride, rows * stride, block);
  for (const auto& [input, weight] : sum.terms) {
    if (input.cols == 0) continue;
    products.multiply({.a = input.row(begin),
                       .a_row = input.stride,
                       .a_depth = 1,
                       .b = weight.data,
                       .b_stride = weight.stride,
                       .c = block,
                       .c_stride = stride,
                       .rows = rows,
                       .depth = input.cols,
                       .cols = weight.stride,
                       .add = started});
    started = true;
  }
  if (!started) std::fill_n(block, rows * stride, 0.0F);
}

void add_weight_gradient(const MatrixView<float>& input, std::int64_t begin, std::int64_t rows,
                         std::int64_t stride, const float* grad, float* sum) {
  choose_product_kernels().multiply({.a = input.row(begin),
                                     .a_row = 1,
                                     .a_depth = input.stride,
                                     .b = grad,
                                     .b_stride = stride,
                                     .c = sum,
                                     .c_stride = stride,
                                     .rows = input.cols,
                                     .depth = rows,
                                     .cols = stride,
                                     .add = true});
}

void write_input_gradient(const MatrixView<float>& weight, DenseTermGradients::Write write,
                          std::int64_t begin, std::int64_t rows, std::int64_t stride,
                          const float* grad, float* panel, const MatrixView<float>& grad_input) {
  const ProductKernels products = choose_product_kernels();
  for (std::int64_t first = 0; first < grad_input.stride; first += kPanel) {
    products.pack(weight.data, weight.rows, stride, first, panel);
    products.multiply({.a = grad,
                       .a_row = stride,
                       .a_depth = 1,
                       .b = panel,
                       .b_stride = kPanel,
                       .c = grad_input.row(begin) + first,
                       .c_stride = grad_input.stride,
                       .rows = rows,
                       .depth = weight.cols,
                       .cols = std::min(kPanel, grad_input.stride - first),
                       .add = write == DenseTermGradients::Write::kAdd});
  }
}

}  // namespace tern::cpu
