#pragma once

#include <cstdint>
#include <vector>

#include "bench/support/workload.hpp"

namespace tern::bench {

/// The layer that linear_relu_batchnorm's cases share with its rivals: one term and a bias a sum,
/// ReLU, normalised; N nodes of a side, all widths the workload's.
/// All values but grad_z are multiples of 1/8, so that all sums before normalisation are exact in
/// f32, and the masks equal the reference's: otherwise rounding would move some of 64 million sums
/// across 0.
struct DenseValues {
  DenseValues(std::int64_t num_rows, std::int64_t num_cols);

  std::int64_t rows;
  std::int64_t cols;
  std::vector<float> x, h, grad_z;  // (rows, cols)
  std::vector<float> w1, w3;        // (cols, cols)
  std::vector<float> b1, b3, scale, shift;
};

/// These values on a backend, and matrices for every result.
struct DenseTables {
  DenseTables(Backend& backend, const DenseValues& values);

  DenseLayer layer();
  DenseGradients gradients();
  void forward(Backend& backend);
  void backward(Backend& backend);

  Matrix x, h, grad_z, w1, w3, b1, b3, scale, shift;
  Matrix running_mean, running_variance, z;
  DenseState state;
  Matrix grad_x, grad_h, grad_w1, grad_w3, grad_b1, grad_b3, grad_scale, grad_shift;
};

}  // namespace tern::bench
