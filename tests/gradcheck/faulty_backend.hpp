#pragma once

#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "host/reference/backend.hpp"

namespace tern::test {

/// The fault of a backend.
enum class Fault {
  kNone,
  kPropagateSkipsAddend,
  kPropagateScale,       // only in the backward direction
  kPropagateUnrounded,   // a source in bf16 is read as it is
  kBprItemSign,          // the gradient of items points the other way
  kBprUserNan,           // one element is not a number
  kSoftmaxItemSign,      // the gradient of items points the other way
  kMixedForgotten,       // the loss is right, its gradient that of the batch's pairs alone
  kPairWeightForgotten,  // the loss is right, its gradient that of pairs that count alike
  kAlignmentUserSign,    // the gradient of users points the other way
  kInfoNceForgotten,     // the loss is right, the gradient of others missing
  kContrastItemSign,     // likewise
  kContrastMargin,       // the cosine contrastive loss has no margin
  kL2Forgotten,          // the loss is right, its gradient missing
  kAdamWithoutWarmUp,    // no bias correction
  kAdamMissesAStep,      // one step too few is made later
  kTopItemsSwapped,      // right scores under wrong items
  kSampleOffByOne,       // one triplet differs
  kDenseInputSign,       // the gradient of a dense layer's first input points the other way
  kDenseWeightSign,      // that of its first weight
  kDenseOuterDropped,    // that of the outer sum's weight is missing
  kDenseScale,           // that of γ
  kDropoutUnscaled,      // kept elements are not divided
  kPerturbTwofold,       // the noise is twice as long
  kNormalizeSum,         // the sum is not added to
  kNormalizeSign,        // the gradient points the other way
};

/// A reference backend with one fault. It has another name, so that it is compared.
class FaultyBackend final : public reference::ReferenceBackend {
 public:
  explicit FaultyBackend(Fault fault) : fault_(fault) {}

  std::string name() const override { return "faulty"; }

  Matrix allocate(std::int64_t rows, std::int64_t cols, const MatrixOptions& options) override {
    const bool unrounded = fault_ == Fault::kPropagateUnrounded;
    return ReferenceBackend::allocate(rows, cols, unrounded ? MatrixOptions() : options);
  }

  void propagate(const Graph& graph, Side to, const Matrix& x, Matrix& y,
                 const PropagateOptions& options) override {
    PropagateOptions changed = options;
    if (fault_ == Fault::kPropagateSkipsAddend) {
      changed.addend = nullptr;
      changed.addend_rows = nullptr;
    }
    if (fault_ == Fault::kPropagateScale && to == Side::kItem) changed.scale *= 1.0 + 1e-4;
    ReferenceBackend::propagate(graph, to, x, y, changed);
  }

  void linear_relu_batchnorm_backward(const DenseLayer& layer, DenseState& state,
                                      const Matrix& grad_z,
                                      const DenseGradients& gradients) override {
    ReferenceBackend::linear_relu_batchnorm_backward(layer, state, grad_z, gradients);
    const auto negate = [&](Matrix* matrix) {
      if (matrix == nullptr) return;
      change(*matrix, [](std::vector<double>& values) {
        for (double& value : values) value = -value;
      });
    };
    const auto& inner = gradients.inner.terms;
    const auto& outer = gradients.outer.terms;
    if (fault_ == Fault::kDenseInputSign && !inner.empty()) negate(inner.front().input);
    if (fault_ == Fault::kDenseWeightSign && !inner.empty()) negate(inner.front().weight);
    if (fault_ == Fault::kDenseOuterDropped && !outer.empty()) fill(*outer.front().weight, 0.0);
    if (fault_ == Fault::kDenseScale) negate(gradients.scale);
  }

  void dropout(const DropoutOptions& options, const Counter& step, Matrix& values) override {
    ReferenceBackend::dropout(options, step, values);
    if (fault_ != Fault::kDropoutUnscaled) return;
    change(values, [&](std::vector<double>& all) {
      for (double& value : all) value *= 1.0 - options.probability;
    });
  }

  void perturb(const PerturbOptions& options, const Counter& step, Matrix& values,
               const RowSet* rows, const RowSum& sum) override {
    PerturbOptions used = options;
    if (fault_ == Fault::kPerturbTwofold) used.magnitude *= 2.0;
    ReferenceBackend::perturb(used, step, values, rows, sum);
  }

  void normalize_rows(const Matrix& x, Matrix& y, const RowSum& sum) override {
    ReferenceBackend::normalize_rows(x, y, fault_ == Fault::kNormalizeSum ? RowSum() : sum);
  }

  void normalize_rows_backward(const Matrix& x, const Matrix& grad_y, Matrix& grad_x,
                               const RowAddend& addend) override {
    ReferenceBackend::normalize_rows_backward(x, grad_y, grad_x, addend);
    if (fault_ != Fault::kNormalizeSign) return;
    change(grad_x, [](std::vector<double>& values) {
      for (double& value : values) value = -value;
    });
  }

  void bpr(Triplets& triplets, const Matrix& users, const Matrix& items, Matrix& grad_users,
           Matrix& grad_items, Matrix& losses) override {
    ReferenceBackend::bpr(triplets, users, items, grad_users, grad_items, losses);
    if (fault_ == Fault::kBprItemSign) {
      change(grad_items, [](std::vector<double>& values) {
        for (double& value : values) value = -value;
      });
    }
    if (fault_ == Fault::kBprUserNan) {
      change(grad_users, [](std::vector<double>& values) { values[0] = std::nan(""); });
    }
  }

  void in_batch_softmax(Triplets& triplets, const InBatchSoftmaxOptions& options,
                        const Matrix& users, const Matrix& items, Matrix& grad_users,
                        Matrix& grad_items, Matrix& losses) override {
    ReferenceBackend::in_batch_softmax(triplets, options, users, items, grad_users, grad_items,
                                       losses);
    if (fault_ == Fault::kPairWeightForgotten || fault_ == Fault::kMixedForgotten) {
      InBatchSoftmaxOptions changed = options;
      if (fault_ == Fault::kPairWeightForgotten) changed.pair_weight.thresholds = nullptr;
      if (fault_ == Fault::kMixedForgotten) changed.columns = SoftmaxColumns::kPairs;
      Matrix unused = allocate(losses.rows(), losses.cols(), {});
      ReferenceBackend::in_batch_softmax(triplets, changed, users, items, grad_users, grad_items,
                                         unused);
    }
    if (fault_ != Fault::kSoftmaxItemSign) return;
    change(grad_items, [](std::vector<double>& values) {
      for (double& value : values) value = -value;
    });
  }

  void alignment_uniformity(Triplets& triplets, const AlignmentUniformityOptions& options,
                            const Matrix& users, const Matrix& items, Matrix& grad_users,
                            Matrix& grad_items, Matrix& losses) override {
    ReferenceBackend::alignment_uniformity(triplets, options, users, items, grad_users, grad_items,
                                           losses);
    if (fault_ != Fault::kAlignmentUserSign) return;
    change(grad_users, [](std::vector<double>& values) {
      for (double& value : values) value = -value;
    });
  }

  void info_nce(Triplets& triplets, const InfoNceOptions& options, Side side, const Matrix& views,
                const Matrix& others, Matrix& grad_views, Matrix& grad_others,
                Matrix& losses) override {
    Matrix unused = allocate(grad_others.rows(), grad_others.cols(), {});
    Matrix& to = fault_ == Fault::kInfoNceForgotten ? unused : grad_others;
    ReferenceBackend::info_nce(triplets, options, side, views, others, grad_views, to, losses);
  }

  void sampled_contrast(Triplets& triplets, const SampledContrastOptions& options,
                        const Matrix& users, const Matrix& items, Matrix& grad_users,
                        Matrix& grad_items, Matrix& losses) override {
    SampledContrastOptions changed = options;
    if (fault_ == Fault::kContrastMargin) changed.margin = -1.0;
    ReferenceBackend::sampled_contrast(triplets, changed, users, items, grad_users, grad_items,
                                       losses);
    if (fault_ == Fault::kPairWeightForgotten) {
      changed.pair_weight.thresholds = nullptr;
      Matrix unused = allocate(losses.rows(), losses.cols(), {});
      ReferenceBackend::sampled_contrast(triplets, changed, users, items, grad_users, grad_items,
                                         unused);
    }
    if (fault_ != Fault::kContrastItemSign) return;
    change(grad_items, [](std::vector<double>& values) {
      for (double& value : values) value = -value;
    });
  }

  void l2_penalty(Triplets& triplets, double lambda, const Matrix& users, const Matrix& items,
                  Matrix& grad_users, Matrix& grad_items, Matrix& losses) override {
    if (fault_ != Fault::kL2Forgotten) {
      ReferenceBackend::l2_penalty(triplets, lambda, users, items, grad_users, grad_items, losses);
      return;
    }
    Matrix unused_users = allocate(grad_users.rows(), grad_users.cols(), {});
    Matrix unused_items = allocate(grad_items.rows(), grad_items.cols(), {});
    ReferenceBackend::l2_penalty(triplets, lambda, users, items, unused_users, unused_items,
                                 losses);
  }

  void adam(const AdamOptions& options, const Counter& step, const Matrix& gradient,
            Matrix& parameter, AdamState& state, const RowSet* rows, Counter* fault) override {
    if (fault_ != Fault::kAdamWithoutWarmUp) {
      ReferenceBackend::adam(options, step, gradient, parameter, state, rows, fault);
      return;
    }
    const Counter late = make_counter(1'000'000);  // the correction has died away by then
    ReferenceBackend::adam(options, late, gradient, parameter, state, rows, fault);
  }

  void adam_catch_up(const AdamOptions& options, const Counter& step, Matrix& parameter,
                     AdamState& state, const RowSet* rows, Counter* fault) override {
    const Counter until = make_counter(get(step) - (fault_ == Fault::kAdamMissesAStep ? 1 : 0));
    ReferenceBackend::adam_catch_up(options, until, parameter, state, rows, fault);
  }

  void score_topk(const Matrix& users, const Matrix& items, std::span<const NodeId> queries,
                  std::span<const Graph* const> observed, std::int64_t k, TopItems& top) override {
    ReferenceBackend::score_topk(users, items, queries, observed, k, top);
    if (fault_ == Fault::kTopItemsSwapped) std::swap(top.items[k], top.items[k + 1]);
  }

  std::vector<Triplet> get_triplets(const Triplets& triplets) override {
    std::vector<Triplet> found = ReferenceBackend::get_triplets(triplets);
    if (fault_ == Fault::kSampleOffByOne) found.back().negative ^= 1;
    return found;
  }

 private:
  template <typename Change>
  void change(Matrix& matrix, Change&& change) {
    std::vector<double> values(static_cast<std::size_t>(matrix.size()));
    download(matrix, std::span<double>(values));
    change(values);
    upload(std::span<const double>(values), matrix);
  }

  Fault fault_;
};

}  // namespace tern::test
