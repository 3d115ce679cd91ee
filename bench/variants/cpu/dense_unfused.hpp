#pragma once

#include <vector>

#include "bench/ops/dense_tables.hpp"

namespace tern::bench {

/// A rival of linear_relu_batchnorm on the CPU, as separate operations of a library. Whole
/// matrices are multiplied, by OpenBLAS with all threads, and every other operation is a pass over
/// N × C, OpenMP over rows and the compiler's own vectors. No memory is allocated in a pass.
class UnfusedLayer {
 public:
  UnfusedLayer(const DenseValues& values, int threads);

  void forward();
  void backward();

  std::vector<float> z, grad_x, grad_h, grad_w1, grad_w3, grad_b1, grad_b3, grad_scale, grad_shift;

 private:
  template <class Row>
  void for_rows(const Row& row) const;
  /// Sums term(element) over the rows, in f64.
  template <class Term>
  std::vector<double> sum_rows(const Term& term) const;
  void multiply(const std::vector<float>& input, const std::vector<float>& weight,
                std::vector<float>& product) const;
  void differentiate(const std::vector<float>& input, const std::vector<float>& weight,
                     const std::vector<float>& grad, std::vector<float>& grad_input,
                     std::vector<float>& grad_weight, std::vector<float>& grad_bias) const;

  const DenseValues& v_;
  int threads_;
  std::vector<float> inner_, outer_, active_, grad_;  // (N, C)
  std::vector<float> mean_, inverse_;
};

}  // namespace tern::bench
