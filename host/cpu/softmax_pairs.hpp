#pragma once

#include <cstdint>

#include "host/backend/pair_layout.hpp"
#include "host/cpu/pair_strips.hpp"

namespace tern::cpu {

/// weight/B Σ_t w_t [ -s_tt / τ + t₂ log Σ_j exp(s_tj / τ + bias_j) ] over the columns j that count,
/// with s_tj = left_t·right_j, and its gradients with respect to the unit rows. B rows, C columns.
/// Three products of B·C·D multiply-adds: logits, and the gradients of left and right, which a backend with
/// a part of the columns computes in these alone.
struct SoftmaxPairs {
  PairTables tables;    // with sharpness 1/τ
  PairWorkspace& work;  // grown
  RowKernels kernels;
  double temperature;
  double negative_weight;  // t₂
  double weight;
  /// Null: each w_t is 1. Else the β of pair_factor() by user, τ_w, and the batch's triplets, of which
  /// the layout names those with the users of the rows.
  const float* thresholds = nullptr;
  double weight_temperature = 1.0;
  const Triplet* triplets = nullptr;
  PairLayout layout = {};

  /// Fills work.losses with a term for each row t, and the gradients.
  void run(ThreadPool& pool, const RemoveColumns& remove) const;

  const float* left_gradient(std::int64_t t) const {
    return work.left_gradient.data() + t * tables.own_stride;
  }
  /// to += the gradient with respect to row t of right.
  void add_right_gradient(std::int64_t t, float* to) const;

 private:
  float* right_part(std::int64_t group, std::int64_t t) const {
    return work.right_gradients.data() + (group * tables.columns + t) * tables.own_stride;
  }
  void finish_row(std::int64_t t, const ExponentRow& row) const;
  void run_strip(const Strip& strip, const RemoveColumns& remove) const;
};

}  // namespace tern::cpu
