#include "bench/variants/cpu/dense_unfused.hpp"

#include <cblas.h>
#include <omp.h>

#include <cmath>

namespace tern::bench {

UnfusedLayer::UnfusedLayer(const DenseValues& values, int threads)
    : z(values.x.size()),
      grad_x(z.size()),
      grad_h(z.size()),
      grad_w1(values.w1.size()),
      grad_w3(values.w3.size()),
      grad_b1(values.b1.size()),
      grad_b3(values.b1.size()),
      grad_scale(values.b1.size()),
      grad_shift(values.b1.size()),
      v_(values),
      threads_(threads),
      inner_(z.size()),
      outer_(z.size()),
      active_(z.size()),
      grad_(z.size()),
      mean_(values.b1.size()),
      inverse_(values.b1.size()) {}

template <class Row>
void UnfusedLayer::for_rows(const Row& row) const {
#pragma omp parallel for num_threads(threads_) schedule(static)
  for (std::int64_t r = 0; r < v_.rows; ++r) row(r * v_.cols);
}

template <class Term>
std::vector<double> UnfusedLayer::sum_rows(const Term& term) const {
  const std::int64_t cols = v_.cols;
  std::vector<double> total(static_cast<std::size_t>(cols));
#pragma omp parallel num_threads(threads_)
  {
    std::vector<double> sums(static_cast<std::size_t>(cols));
#pragma omp for schedule(static)
    for (std::int64_t r = 0; r < v_.rows; ++r) {
      for (std::int64_t c = 0; c < cols; ++c) sums[c] += term(r * cols + c, c);
    }
#pragma omp critical
    for (std::int64_t c = 0; c < cols; ++c) total[c] += sums[c];
  }
  return total;
}

void UnfusedLayer::multiply(const std::vector<float>& input, const std::vector<float>& weight,
                            std::vector<float>& product) const {
  const int c = static_cast<int>(v_.cols);
  openblas_set_num_threads(threads_);
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, static_cast<int>(v_.rows), c, c, 1.0F,
              input.data(), c, weight.data(), c, 0.0F, product.data(), c);
  openblas_set_num_threads(1);
}

void UnfusedLayer::forward() {
  const std::int64_t cols = v_.cols;
  const auto n = static_cast<double>(v_.rows);
  const auto add_bias = [&](std::vector<float>& table, const std::vector<float>& bias) {
    for_rows([&](std::int64_t row) {
      for (std::int64_t c = 0; c < cols; ++c) table[row + c] += bias[c];
    });
  };
  const auto rectify = [&](std::vector<float>& table) {
    for_rows([&](std::int64_t row) {
      for (std::int64_t i = row; i < row + cols; ++i) table[i] = table[i] > 0 ? table[i] : 0.0F;
    });
  };
  multiply(v_.x, v_.w1, inner_);
  add_bias(inner_, v_.b1);
  rectify(inner_);
  multiply(v_.h, v_.w3, outer_);
  add_bias(outer_, v_.b3);
  for_rows([&](std::int64_t row) {
    for (std::int64_t i = row; i < row + cols; ++i) active_[i] = inner_[i] + outer_[i];
  });
  rectify(active_);
  const std::vector<double> sums =
      sum_rows([&](std::int64_t i, std::int64_t) { return active_[i]; });
  for (std::int64_t c = 0; c < cols; ++c) mean_[c] = static_cast<float>(sums[c] / n);
  const std::vector<double> squares = sum_rows([&](std::int64_t i, std::int64_t c) {
    return (active_[i] - mean_[c]) * (active_[i] - mean_[c]);
  });
  for (std::int64_t c = 0; c < cols; ++c) {
    inverse_[c] = static_cast<float>(1 / std::sqrt(squares[c] / n + BatchNorm().epsilon));
  }
  for_rows([&](std::int64_t row) {
    for (std::int64_t c = 0; c < cols; ++c) {
      z[row + c] = (active_[row + c] - mean_[c]) * inverse_[c] * v_.scale[c] + v_.shift[c];
    }
  });
}

void UnfusedLayer::differentiate(const std::vector<float>& input, const std::vector<float>& weight,
                                 const std::vector<float>& grad, std::vector<float>& grad_input,
                                 std::vector<float>& grad_weight,
                                 std::vector<float>& grad_bias) const {
  const int c = static_cast<int>(v_.cols);
  const int rows = static_cast<int>(v_.rows);
  openblas_set_num_threads(threads_);
  cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, c, c, rows, 1.0F, input.data(), c,
              grad.data(), c, 0.0F, grad_weight.data(), c);
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, c, c, 1.0F, grad.data(), c,
              weight.data(), c, 0.0F, grad_input.data(), c);
  openblas_set_num_threads(1);
  const std::vector<double> sums = sum_rows([&](std::int64_t i, std::int64_t) { return grad[i]; });
  for (std::int64_t k = 0; k < v_.cols; ++k) grad_bias[k] = static_cast<float>(sums[k]);
}

void UnfusedLayer::backward() {
  const std::int64_t cols = v_.cols;
  const auto n = static_cast<double>(v_.rows);
  const std::vector<double> of_scale = sum_rows([&](std::int64_t i, std::int64_t c) {
    return v_.grad_z[i] * (active_[i] - mean_[c]) * inverse_[c];
  });
  const std::vector<double> of_shift =
      sum_rows([&](std::int64_t i, std::int64_t) { return v_.grad_z[i]; });
  std::vector<double> factor(of_scale.size());
  for (std::int64_t c = 0; c < cols; ++c) {
    grad_scale[c] = static_cast<float>(of_scale[c]);
    grad_shift[c] = static_cast<float>(of_shift[c]);
    factor[c] = static_cast<double>(v_.scale[c]) * inverse_[c];
  }
  // In f64: in f32, subtracting a column's constant would cause similar rounding errors in each of
  // a million rows, and their sum would show in the gradients of the biases. f64 costs no time
  // here, because the pass is limited by memory.
  for_rows([&](std::int64_t row) {
    for (std::int64_t c = 0; c < cols; ++c) {
      const double unit = static_cast<double>(active_[row + c] - mean_[c]) * inverse_[c];
      grad_[row + c] = static_cast<float>(
          factor[c] * (v_.grad_z[row + c] - of_shift[c] / n - unit * of_scale[c] / n));
    }
  });
  const auto mask = [&](const std::vector<float>& table) {
    for_rows([&](std::int64_t row) {
      for (std::int64_t i = row; i < row + cols; ++i) grad_[i] = table[i] > 0 ? grad_[i] : 0.0F;
    });
  };
  mask(active_);
  differentiate(v_.h, v_.w3, grad_, grad_h, grad_w3, grad_b3);
  mask(inner_);
  differentiate(v_.x, v_.w1, grad_, grad_x, grad_w1, grad_b1);
}

}  // namespace tern::bench
