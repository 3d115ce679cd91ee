// z = BN(f(f(inner) + outer)), see Backend::linear_relu_batchnorm.
//
// Rows are cut into blocks that stay in a core's cache from the product to the last sweep. This
// leaves the fewest passes over N × C numbers in main memory, besides reading the inputs once and
// writing their gradients once:
//
//   forward, training with BN  3: a written; a read, z written (an unfused layer: 10)
//   forward, training without  2: z and a written (z alone without ReLU)
//   forward, evaluation        1: z written
//   backward with BN           4: grad_z and a read for ∂γ and ∂β, and again for ∂a (unfused: 13)
//   backward without           2: grad_z and a read
//
// and one more for each addend and for its gradient. The mask of the inner ReLU takes no memory: it
// is the sign bit of a, which is not negative. Masked gradients never leave the cache, but are
// added to ∂weight, ∂input and ∂bias block by block.
//
// Threads take stretches of blocks; the sums of a stretch (statistics, ∂weight, ∂bias) are merged
// in the order of the stretches, whose cuts depend on N and C alone: the same bits for any number
// of threads.

#include <algorithm>
#include <utility>

#include "host/backend/checks.hpp"
#include "host/cpu/backend.hpp"
#include "host/cpu/batch_statistics.hpp"
#include "host/cpu/dense_gradients.hpp"
#include "host/cpu/dense_products.hpp"
#include "host/cpu/dense_state.hpp"
#include "host/cpu/dense_sweeps.hpp"

namespace tern::cpu {

namespace {

/// Calls body(stretch, workspace) for all stretches, in parallel.
template <class Body>
void for_stretches(DenseStateStorage& state, ThreadPool& pool, const Body& body) {
  parallel_for_slots(pool, state.cuts.stretches,
                     [&](std::int64_t s, int slot) { body(s, DenseWorkspace(state, slot)); });
}

/// Calls body(first row, rows) for each block of a stretch, in order.
template <class Body>
void for_blocks(const DenseCuts& cuts, std::int64_t s, const Body& body) {
  for (std::int64_t begin = cuts.begin(s); begin < cuts.end(s); begin += cuts.block) {
    body(begin, std::min(cuts.block, cuts.end(s) - begin));
  }
}

class Forward {
 public:
  Forward(const DenseLayer& layer, DenseMode mode, DenseStateStorage& state, Matrix& z)
      : layer_(layer),
        state_(state),
        inner_(view(layer.inner)),
        outer_(view(layer.outer)),
        trains_(mode == DenseMode::kTraining),
        z_(view(z)) {}

  void run(ThreadPool& pool) {
    const bool normalizes = layer_.batch_norm.has_value();
    if (normalizes && !trains_) take_running_statistics(*layer_.batch_norm, state_);
    for_stretches(state_, pool, [this](std::int64_t s, const DenseWorkspace& work) {
      for_blocks(state_.cuts, s,
                 [&](std::int64_t begin, std::int64_t rows) { run_block(s, begin, rows, work); });
    });
    if (!normalizes || !trains_) return;
    finish_statistics(*layer_.batch_norm, state_);
    for_stretches(state_, pool, [this](std::int64_t s, const DenseWorkspace&) {
      const std::int64_t begin = state_.cuts.begin(s);
      normalize(state_.active_row(begin), begin, state_.cuts.end(s) - begin);
    });
  }

 private:
  void run_block(std::int64_t s, std::int64_t begin, std::int64_t rows,
                 const DenseWorkspace& work) {
    const bool normalizes = layer_.batch_norm.has_value();
    const bool relu = layer_.activation == Activation::kRelu;
    multiply(inner_, begin, rows, state_.stride, work.inner);
    if (!outer_.empty) multiply(outer_, begin, rows, state_.stride, work.outer);
    // Without ReLU and normalisation the backward pass needs nothing.
    const bool keeps = trains_ && (relu || normalizes);
    combine_block({.rows = rows,
                   .stride = state_.stride,
                   .inner = work.inner,
                   .outer = outer_.empty ? nullptr : work.outer,
                   .inner_bias = inner_.bias != nullptr ? inner_.bias : work.zeros,
                   .outer_bias = outer_.bias != nullptr ? outer_.bias : work.zeros,
                   .relu = relu,
                   .plain = normalizes ? work.inner : z_.row(begin),
                   .active = keeps ? state_.active_row(begin) : nullptr});
    if (!normalizes) return;
    if (trains_) {
      add_block(state_, s, begin, rows, work.inner, work);
    } else {
      normalize(work.inner, begin, rows);
    }
  }

  void normalize(const float* active, std::int64_t begin, std::int64_t rows) {
    normalize_rows(state_.norm_rows(active, rows, layer_.activation), state_.norm.scale,
                   state_.norm.shift, state_.is_large(), z_.row(begin));
  }

  const DenseLayer& layer_;
  DenseStateStorage& state_;
  SumView inner_;
  SumView outer_;
  bool trains_;
  MatrixView<float> z_;
};

class Backward {
 public:
  Backward(const DenseLayer& layer, DenseStateStorage& state, const Matrix& grad_z,
           const DenseGradients& gradients)
      : layer_(layer),
        state_(state),
        grad_z_(view(grad_z)),
        of_scale_(gradients.scale),
        of_shift_(gradients.shift),
        inner_(layer.inner, gradients.inner, 0),
        outer_(layer.outer, gradients.outer, 1) {
    const std::int64_t of_inner = inner_.weight_sums_size(state);
    state.reserve_weight_sums(of_inner + outer_.weight_sums_size(state));
    inner_.place_weight_sums(state.weight_sums.data());
    outer_.place_weight_sums(state.weight_sums.data() + of_inner);
  }

  void run(ThreadPool& pool) {
    const bool goes_on = inner_.wanted() || outer_.wanted();
    const bool of_norm = of_scale_ != nullptr || of_shift_ != nullptr;
    if (layer_.batch_norm.has_value() && (goes_on || of_norm)) run_norm(pool);
    if (!goes_on) return;
    for_stretches(state_, pool, [this](std::int64_t s, const DenseWorkspace& work) {
      inner_.start(state_, s);
      outer_.start(state_, s);
      for_blocks(state_.cuts, s,
                 [&](std::int64_t begin, std::int64_t rows) { run_block(s, begin, rows, work); });
    });
    inner_.finish(state_, pool);
    outer_.finish(state_, pool);
  }

 private:
  NormRows rows_of(std::int64_t begin, std::int64_t rows) const {
    return state_.norm_rows(state_.active_row(begin), rows, layer_.activation);
  }

  /// Computes ∂γ and ∂β, and the columns from which ∂a is computed.
  void run_norm(ThreadPool& pool) {
    for_stretches(state_, pool, [this](std::int64_t s, const DenseWorkspace& work) {
      double* of_scale = state_.sums_of(s, 0);
      double* of_shift = state_.sums_of(s, 1);
      std::fill_n(of_scale, 2 * state_.stride, 0.0);  // both
      for_blocks(state_.cuts, s, [&](std::int64_t begin, std::int64_t rows) {
        sum_norm_gradients(rows_of(begin, rows), grad_z_.row(begin), work.sums, work.more_sums);
        for (std::int64_t c = 0; c < state_.cols; ++c) {
          of_scale[c] += work.sums[c];
          of_shift[c] += work.more_sums[c];
        }
      });
    });
    const auto scale = view(*layer_.batch_norm->scale);
    const auto n = static_cast<double>(state_.cuts.rows);
    for (std::int64_t c = 0; c < state_.cols; ++c) {
      double of_scale = 0.0;
      double of_shift = 0.0;
      for (std::int64_t s = 0; s < state_.cuts.stretches; ++s) {
        of_scale += state_.sums_of(s, 0)[c];
        of_shift += state_.sums_of(s, 1)[c];
      }
      state_.norm.scale[c] = scale(0, c) * state_.norm.inverse[c];
      state_.norm.shift[c] = static_cast<float>(state_.norm.scale[c] * of_shift / n);
      state_.norm.slope[c] = static_cast<float>(state_.norm.scale[c] * of_scale / n);
      if (of_scale_ != nullptr) view (*of_scale_)(0, c) = static_cast<float>(of_scale);
      if (of_shift_ != nullptr) view (*of_shift_)(0, c) = static_cast<float>(of_shift);
    }
  }

  void run_block(std::int64_t s, std::int64_t begin, std::int64_t rows,
                 const DenseWorkspace& work) {
    float* of_inner = inner_.target(begin, state_.stride, work.inner);
    float* of_outer = outer_.target(begin, state_.stride, work.outer);
    const bool has_outer = !layer_.outer.empty();
    const bool normalizes = layer_.batch_norm.has_value();
    mask_gradients(rows_of(begin, rows), {.grad_z = grad_z_.row(begin),
                                          .scale = normalizes ? state_.norm.scale : nullptr,
                                          .shift = state_.norm.shift,
                                          .slope = state_.norm.slope,
                                          .outer = has_outer ? of_outer : nullptr,
                                          .inner = of_inner});
    if (has_outer) outer_.add_block(state_, s, begin, rows, of_outer, work);
    inner_.add_block(state_, s, begin, rows, of_inner, work);
  }

  const DenseLayer& layer_;
  DenseStateStorage& state_;
  MatrixView<float> grad_z_;
  Matrix* of_scale_;
  Matrix* of_shift_;
  SumGradients inner_;
  SumGradients outer_;
};

}  // namespace

DenseState CpuBackend::make_dense_state(std::int64_t rows, std::int64_t cols) {
  expect_not_recording("make_dense_state");
  check_make_dense_state(rows, cols);
  check_allocate(rows, cols, sizeof(float));  // padding would hide a negative size
  check_allocate(rows, padded(cols), sizeof(float));
  return {std::make_unique<DenseStateStorage>(rows, cols, pool_.threads()), rows, cols};
}

void CpuBackend::linear_relu_batchnorm(const DenseLayer& layer, DenseMode mode, DenseState& state,
                                       Matrix& z) {
  check_linear_relu_batchnorm(layer, mode, state, z);
  Forward(layer, mode, storage(state), z).run(pool_);
}

void CpuBackend::linear_relu_batchnorm_backward(const DenseLayer& layer, DenseState& state,
                                                const Matrix& grad_z,
                                                const DenseGradients& gradients) {
  check_linear_relu_batchnorm_backward(layer, state, grad_z, gradients);
  Backward(layer, storage(state), grad_z, gradients).run(pool_);
}

}  // namespace tern::cpu
