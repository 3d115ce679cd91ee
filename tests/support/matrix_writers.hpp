#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tern/backend.hpp"
#include "tests/support/graphs.hpp"
#include "tests/support/matrices.hpp"

namespace tern::test {

/// An op that writes to a matrix.
struct MatrixWriter {
  std::string name;
  std::function<void(Matrix&)> write;
};

/// Every op that may write to a matrix with a bf16 copy, with the inputs and other outputs of each.
class MatrixWriters {
 public:
  static constexpr NodeId kNodes = 70;
  static constexpr std::int64_t kWidth = 20;

  explicit MatrixWriters(Backend& backend) : backend_(backend) {
    backend_.sample(triplets_, 1);
    layer_.inner.terms = {{&other_, &weight_}};
    layer_.inner.addend = &other_;
    layer_.batch_norm = BatchNorm{.scale = &scale_,
                                  .shift = &shift_,
                                  .running_mean = &running_mean_,
                                  .running_variance = &running_variance_};
    // The backward passes need the state of a forward pass.
    backend_.linear_relu_batchnorm(layer_, DenseMode::kTraining, state_, third_);
  }
  MatrixWriters(const MatrixWriters&) = delete;
  MatrixWriters& operator=(const MatrixWriters&) = delete;

  std::vector<MatrixWriter> all() {
    std::vector<MatrixWriter> all = plain();
    for (const auto& part : {optimizers(), dense(), noise_and_unit_rows(), losses()}) {
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }

 private:
  AdamState adam_state() {
    return {backend_.allocate(kNodes, kWidth), backend_.allocate(kNodes, kWidth)};
  }
  AdamState adam_state_by_rows() {
    AdamState state = adam_state();
    state.row_steps = backend_.make_row_steps(kNodes);
    return state;
  }

  std::vector<MatrixWriter> plain() {
    return {
        {"upload",
         [&](Matrix& m) {
           const Values values = random_values(m.size(), 2);
           backend_.upload(std::span<const double>(values), m);
         }},
        {"fill", [&](Matrix& m) { backend_.fill(m, 0.1); }},
        {"copy", [&](Matrix& m) { backend_.copy(other_, m); }},
        {"propagate", [&](Matrix& m) { backend_.propagate(graph_, Side::kUser, other_, m); }},
        {"propagate to rows",
         [&](Matrix& m) {
           backend_.propagate(graph_, Side::kItem, other_, m, {.to = &some_, .addend = &other_});
         }},
    };
  }

  std::vector<MatrixWriter> optimizers() {
    return {
        {"adam",
         [&](Matrix& m) {
           AdamState state = adam_state();
           backend_.adam({.learning_rate = 0.1}, step_, other_, m, state);
         }},
        {"adam without epsilon",
         [&](Matrix& m) {
           AdamState state = adam_state();
           backend_.adam({.learning_rate = 0.1, .epsilon = 0.0}, step_, other_, m, state);
         }},
        {"adam of rows",
         [&](Matrix& m) {
           AdamState state = adam_state_by_rows();
           backend_.adam({.learning_rate = 0.1}, step_, other_, m, state, &some_);
         }},
        {"adam_catch_up",
         [&](Matrix& m) {
           AdamState state = adam_state_by_rows();
           backend_.adam_catch_up({.learning_rate = 0.1, .weight_decay = 0.1}, step_, m, state);
         }},
        {"sgd", [&](Matrix& m) { backend_.sgd({.momentum = 0.5}, step_, other_, m, velocity_); }},
        {"sgd of rows",
         [&](Matrix& m) { backend_.sgd({.momentum = 0.5}, step_, other_, m, velocity_, &some_); }},
    };
  }

  void dense_backward(const DenseSumGradients& inner) {
    backend_.linear_relu_batchnorm_backward(layer_, state_, other_, {.inner = inner});
  }

  std::vector<MatrixWriter> dense() {
    const auto forward = [&](DenseMode mode) {
      return [this, mode](Matrix& m) {
        DenseState state = backend_.make_dense_state(kNodes, kWidth);
        backend_.linear_relu_batchnorm(layer_, mode, state, m);
      };
    };
    const auto input_gradient = [&](DenseTermGradients::Write write) {
      return [this, write](Matrix& m) {
        dense_backward({.terms = {{.input = &m, .input_write = write}}});
      };
    };
    return {
        {"linear_relu_batchnorm", forward(DenseMode::kTraining)},
        {"linear_relu_batchnorm in evaluation", forward(DenseMode::kEvaluation)},
        {"linear_relu_batchnorm_backward", input_gradient(DenseTermGradients::Write::kOverwrite)},
        {"linear_relu_batchnorm_backward that adds",
         input_gradient(DenseTermGradients::Write::kAdd)},
        {"linear_relu_batchnorm_backward of an addend",
         [&](Matrix& m) { dense_backward({.addend = &m}); }},
    };
  }

  std::vector<MatrixWriter> noise_and_unit_rows() {
    return {
        {"dropout", [&](Matrix& m) { backend_.dropout({.probability = 0.3}, step_, m); }},
        {"perturb", [&](Matrix& m) { backend_.perturb({}, step_, m); }},
        {"perturb's sum",
         [&](Matrix& m) {
           backend_.perturb({}, step_, third_, nullptr, {.sum = &m, .weight = 0.3});
         }},
        {"normalize_rows", [&](Matrix& m) { backend_.normalize_rows(other_, m); }},
        {"normalize_rows' sum",
         [&](Matrix& m) { backend_.normalize_rows(other_, third_, {.sum = &m, .weight = 0.3}); }},
        {"normalize_rows_backward",
         [&](Matrix& m) { backend_.normalize_rows_backward(other_, m, m); }},
    };
  }

  std::vector<MatrixWriter> losses() {
    return {
        {"bpr", [&](Matrix& m) { backend_.bpr(triplets_, other_, other_, m, third_, losses_); }},
        {"l2_penalty",
         [&](Matrix& m) {
           backend_.l2_penalty(triplets_, 0.5, other_, other_, third_, m, losses_);
         }},
        {"in_batch_softmax",
         [&](Matrix& m) {
           backend_.in_batch_softmax(triplets_, {}, other_, other_, m, third_, losses_);
         }},
        {"alignment_uniformity",
         [&](Matrix& m) {
           backend_.alignment_uniformity(triplets_, {}, other_, other_, m, third_, losses_);
         }},
        {"sampled_contrast",
         [&](Matrix& m) {
           backend_.sampled_contrast(triplets_, {}, other_, other_, third_, m, losses_);
         }},
        {"info_nce",
         [&](Matrix& m) {
           backend_.info_nce(triplets_, {}, Side::kUser, other_, unequal_, m, third_, losses_);
         }},
        {"info_nce of others",
         [&](Matrix& m) {
           backend_.info_nce(triplets_, {}, Side::kItem, other_, unequal_, third_, m, losses_);
         }},
    };
  }

  Matrix random_matrix(std::int64_t rows, std::int64_t cols, std::uint64_t seed) {
    return make_matrix(backend_, rows, cols, random_values(rows * cols, seed));
  }

  Backend& backend_;
  const Graph graph_ = backend_.make_graph(random_interactions(kNodes, kNodes, 0.1, 5));
  const RowSet some_ = backend_.make_row_set(kNodes, random_rows(kNodes, 4, 0.4));
  const Counter step_ = backend_.make_counter(1);
  const Matrix other_ = random_matrix(kNodes, kWidth, 1);
  const Matrix unequal_ = random_matrix(kNodes, kWidth, 3);
  Matrix third_ = backend_.allocate(kNodes, kWidth);
  SgdState velocity_{backend_.allocate(kNodes, kWidth)};
  Triplets triplets_ = backend_.make_triplets(graph_, {}, 30);
  Matrix losses_ = backend_.allocate(4, triplets_.num_batches());
  const Matrix weight_ = random_matrix(kWidth, kWidth, 6);
  const Matrix scale_ = random_matrix(1, kWidth, 8);
  const Matrix shift_ = random_matrix(1, kWidth, 9);
  Matrix running_mean_ = backend_.allocate(1, kWidth);
  Matrix running_variance_ = make_matrix(backend_, 1, kWidth, Values(kWidth, 1.0));
  DenseLayer layer_;
  DenseState state_ = backend_.make_dense_state(kNodes, kWidth);
};

}  // namespace tern::test
