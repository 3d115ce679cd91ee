#pragma once

#include <cstdint>
#include <vector>

#include "host/cpu/dense_products.hpp"
#include "host/cpu/dense_state.hpp"
#include "host/support/parallel.hpp"
#include "tern/dense_layer.hpp"

namespace tern::cpu {

/// The backward pass of one sum of the layer, block by block.
class SumGradients {
 public:
  /// which: the index, among the columns of sums, of the bias's gradient.
  SumGradients(const DenseSum& sum, const DenseSumGradients& gradients, int which);

  bool wanted() const;
  /// Where to write the block's gradient: the addend's gradient if it is wanted, else the
  /// workspace.
  float* target(std::int64_t begin, std::int64_t stride, float* workspace) const;

  /// The number of floats in DenseStateStorage::weight_sums, and where they begin.
  std::int64_t weight_sums_size(const DenseStateStorage& state) const;
  void place_weight_sums(float* place) { weight_sums_ = place; }

  /// For each stretch call start(), then add_block() for its blocks in order.
  void start(DenseStateStorage& state, std::int64_t s) const;
  void add_block(DenseStateStorage& state, std::int64_t s, std::int64_t begin, std::int64_t rows,
                 const float* grad, const DenseWorkspace& work) const;
  /// Merges the stretches in order.
  void finish(DenseStateStorage& state, ThreadPool& pool) const;

 private:
  struct Term {
    SumView::Term of;
    DenseTermGradients gradients;
  };
  /// ∂weight of one stretch; the first stretch writes into the result.
  float* weight_sum(const DenseStateStorage& state, const Term& term, std::int64_t s) const;

  std::vector<Term> terms_;
  Matrix* addend_;
  Matrix* bias_;
  int which_;
  float* weight_sums_ = nullptr;
};

}  // namespace tern::cpu
