#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "host/cpu/dense_sweeps.hpp"
#include "host/cpu/storage.hpp"
#include "host/cpu/table_products.hpp"
#include "tern/dense_layer.hpp"

namespace tern::cpu {

/// How the rows of a dense layer are cut. Idle threads take stretches, whose results are merged in
/// order; a stretch consists of blocks, each of which stays in a core's cache from the product to
/// the last sweep. The cuts depend only on the layer's size.
struct DenseCuts {
  DenseCuts(std::int64_t num_rows, std::int64_t stride);

  std::int64_t rows;
  std::int64_t block;      // rows
  std::int64_t stretch;    // rows, whole blocks
  std::int64_t stretches;  // none without rows

  std::int64_t begin(std::int64_t s) const { return s * stretch; }
  std::int64_t end(std::int64_t s) const { return std::min(rows, (s + 1) * stretch); }
};

/// Batch normalisation: one value for each column; the padding is 0 and stays 0.
struct NormColumns {
  explicit NormColumns(std::int64_t stride)
      : values(6 * stride),
        mean(values.data()),
        mean_rest(mean + stride),
        inverse(mean_rest + stride),
        scale(inverse + stride),
        shift(scale + stride),
        slope(shift + stride) {}

  FloatBlock values;
  float* mean;
  float* mean_rest;  // mean - float(mean): keeps a - mean as exact as a
  float* inverse;    // 1 / sqrt(variance + ε)
  float* scale;      // γ · inverse
  float* shift;      // forward: β; backward: scale · ∂β/N
  float* slope;      // backward: scale · ∂γ/N
};

struct DenseStateStorage final : Storage {
  DenseStateStorage(std::int64_t num_rows, std::int64_t num_cols, int threads);

  std::int64_t cols;
  std::int64_t stride;
  DenseCuts cuts;
  /// a. With two ReLUs a is not negative, and its sign bit is set (-a or -0) if the inner ReLU was
  /// open.
  FloatBlock active;
  NormColumns norm;

  /// Two columns of sums for each stretch. Forward: mean and Σ (a - mean)²; backward: ∂γ and ∂β,
  /// then the gradients of the two biases.
  std::vector<double> sums;
  double* sums_of(std::int64_t s, int which) { return sums.data() + (2 * s + which) * stride; }

  /// For each thread: two blocks, three rows of sums, a row of zeros, and a panel of a weight.
  FloatBlock workspace;
  std::int64_t workspace_size() const { return (2 * cuts.block + 4 + kPanel) * stride; }

  /// ∂weight of every stretch but the first; allocated by the first backward pass, when the terms
  /// are known.
  FloatBlock weight_sums;

  /// Rows of a, wherever they are in memory, with the columns that normalise them.
  NormRows norm_rows(const float* rows_of_a, std::int64_t num_rows, Activation activation) const {
    return {.rows = num_rows,
            .stride = stride,
            .active = rows_of_a,
            .relu = activation == Activation::kRelu,
            .mean = norm.mean,
            .mean_rest = norm.mean_rest,
            .inverse = norm.inverse};
  }
  float* active_row(std::int64_t row) const { return active.data() + row * stride; }

  /// Whether a matrix of this size does not fit into the caches.
  bool is_large() const { return cuts.rows * stride > (std::int64_t{1} << 23); }  // 32 MiB

  void reserve_weight_sums(std::int64_t size) {
    if (weight_sums.size() < size) weight_sums = FloatBlock(size);
  }
};

/// One thread's part of the workspace.
struct DenseWorkspace {
  DenseWorkspace(DenseStateStorage& state, int thread)
      : inner(state.workspace.data() + thread * state.workspace_size()),
        outer(inner + state.cuts.block * state.stride),
        sums(outer + state.cuts.block * state.stride),
        more_sums(sums + state.stride),
        about(more_sums + state.stride),
        zeros(about + state.stride),
        panel(about + 2 * state.stride) {}

  float* inner;  // (block, stride)
  float* outer;  // (block, stride)
  float* sums;
  float* more_sums;
  float* about;
  const float* zeros;
  float* panel;  // (stride, kPanel): a part of a weight by columns
};

}  // namespace tern::cpu
