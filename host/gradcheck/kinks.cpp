#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "host/gradcheck/cosines.hpp"
#include "host/reference/backend.hpp"

namespace tern::gradcheck_detail {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// A reference backend that records the argument of a ReLU or of a sign nearest to 0, the cosine nearest
/// to the margin, and the least standard deviation of a column, and length of a row, that were divided by.
class KinkWatch final : public reference::ReferenceBackend {
 public:
  explicit KinkWatch(const NamedModel& model) : model_(model) {}

  /// Begins anew, as if nothing had been recorded.
  void forget() {
    nearest_ = nearest_cosine_ = kInfinity;
    least_deviation_ = least_norm_ = kInfinity;
  }

  /// At least 1 if differences and rounding are safe.
  double safety() const {
    return std::min({nearest_ / kKinkMargin, nearest_cosine_ / kCosineMargin,
                     least_deviation_ / kMinDeviation, least_norm_ / kLeastNorm});
  }

  void in_batch_softmax(Triplets& triplets, const InBatchSoftmaxOptions& options,
                        const Matrix& users, const Matrix& items, Matrix& grad_users,
                        Matrix& grad_items, Matrix& losses) override {
    measure_norms(triplets, users, items);
    ReferenceBackend::in_batch_softmax(triplets, options, users, items, grad_users, grad_items,
                                       losses);
  }

  void alignment_uniformity(Triplets& triplets, const AlignmentUniformityOptions& options,
                            const Matrix& users, const Matrix& items, Matrix& grad_users,
                            Matrix& grad_items, Matrix& losses) override {
    measure_norms(triplets, users, items);
    ReferenceBackend::alignment_uniformity(triplets, options, users, items, grad_users, grad_items,
                                           losses);
  }

  void sampled_contrast(Triplets& triplets, const SampledContrastOptions& options,
                        const Matrix& users, const Matrix& items, Matrix& grad_users,
                        Matrix& grad_items, Matrix& losses) override {
    measure_norms(triplets, users, items);
    if (options.kind == SampledContrastKind::kCosineContrastive) {
      for (const double cosine :
           negative_cosines(reference::current_batch(triplets, "sampled_contrast"),
                            gradcheck_detail::download(*this, users),
                            gradcheck_detail::download(*this, items), users.cols())) {
        nearest_cosine_ = std::min(nearest_cosine_, std::abs(cosine - options.margin));
      }
    }
    ReferenceBackend::sampled_contrast(triplets, options, users, items, grad_users, grad_items,
                                       losses);
  }

  void normalize_rows(const Matrix& x, Matrix& y, const RowSum& sum) override {
    const Values values = gradcheck_detail::download(*this, x);
    for (NodeId row = 0; row < x.rows(); ++row) measure_row(values, row, x.cols());
    ReferenceBackend::normalize_rows(x, y, sum);
  }

  void perturb(const PerturbOptions& options, const Counter& step, Matrix& values,
               const RowSet* rows, const RowSum& sum) override {
    for (const double value : gradcheck_detail::download(*this, values)) {
      if (value != 0.0) note({value});  // 0: the row of a node without neighbours
    }
    ReferenceBackend::perturb(options, step, values, rows, sum);
  }

  void linear_relu_batchnorm(const DenseLayer& layer, DenseMode mode, DenseState& state,
                             Matrix& z) override {
    if (layer.activation == Activation::kRelu) {
      Values sum = evaluate(layer.inner, z);
      note(sum);
      if (!layer.outer.empty()) {
        const Values outer = evaluate(layer.outer, z);
        for (std::size_t i = 0; i < sum.size(); ++i) sum[i] = std::max(sum[i], 0.0) + outer[i];
        note(sum);
      }
      if (layer.batch_norm.has_value()) measure(sum, static_cast<std::size_t>(z.cols()));
    }
    ReferenceBackend::linear_relu_batchnorm(layer, mode, state, z);
  }

 private:
  Values evaluate(const DenseSum& sum, const Matrix& like) {
    DenseState state = make_dense_state(like.rows(), like.cols());
    Matrix result = allocate(like.rows(), like.cols(), {});
    ReferenceBackend::linear_relu_batchnorm({.inner = sum, .activation = Activation::kNone},
                                            DenseMode::kTraining, state, result);
    return gradcheck_detail::download(*this, result);
  }

  void note(const Values& arguments) {
    for (const double argument : arguments) nearest_ = std::min(nearest_, std::abs(argument));
  }

  void measure(const Values& arguments, std::size_t cols) {
    const auto rows = static_cast<double>(arguments.size()) / static_cast<double>(cols);
    for (std::size_t c = 0; c < cols; ++c) {
      double mean = 0.0;
      double square = 0.0;
      int active = 0;
      for (std::size_t i = c; i < arguments.size(); i += cols) {
        mean += std::max(arguments[i], 0.0) / rows;
        active += arguments[i] > 0.0 ? 1 : 0;
      }
      // The normalised column is the same for any size of its only number, so that its gradient is 0: a sum that cancels,
      // of which f32 leaves rounding errors.
      if (active == 1) least_deviation_ = 0.0;
      for (std::size_t i = c; i < arguments.size(); i += cols) {
        const double deviation = std::max(arguments[i], 0.0) - mean;
        square += deviation * deviation / rows;
      }
      // A column of zeros passes nothing on, forward or backward.
      if (square > 0.0) least_deviation_ = std::min(least_deviation_, std::sqrt(square));
    }
  }

  /// If ReLU has left no column to a node of gcmc, its row is 0, and there a cosine has no derivative.
  /// Elsewhere a row is 0 only if the node has no neighbour, and then it always is.
  void measure_row(const Values& values, NodeId node, std::int64_t width) {
    const double* row = values.data() + node * width;
    // The unit row is the same for any size of the row's only number, so that its gradient is 0: a difference that
    // cancels, of which f32 leaves rounding errors, divided by the length.
    if (std::count(row, row + width, 0.0) == width - 1 && width > 1) least_norm_ = 0.0;
    const double norm = std::sqrt(std::inner_product(row, row + width, row, 0.0));
    if (norm > 0.0 || model_.options.kind == ModelKind::kGcMc) {
      least_norm_ = std::min(least_norm_, norm);
    }
  }

  /// Measures the batch's rows.
  void measure_norms(Triplets& triplets, const Matrix& users, const Matrix& items) {
    const Values user_values = gradcheck_detail::download(*this, users);
    const Values item_values = gradcheck_detail::download(*this, items);
    for (const auto& [user, positive, negative] : reference::current_batch(triplets, "gradcheck")) {
      measure_row(user_values, user, users.cols());
      measure_row(item_values, positive, users.cols());
      if (negative >= 0) measure_row(item_values, negative, users.cols());
    }
  }

  const NamedModel& model_;

  double nearest_ = kInfinity;
  double nearest_cosine_ = kInfinity;
  double least_deviation_ = kInfinity;
  double least_norm_ = kInfinity;
};

}  // namespace

bool has_kinks(const NamedModel& model) {
  return model.options.kind == ModelKind::kGcMc || model.loss.kind == LossKind::kCcl ||
         model.options.contrast.kind != ContrastKind::kNone;
}

bool divides_rows(const NamedModel& model) {
  return model.loss.kind != LossKind::kBpr ||
         model.options.propagation.kind == PropagationKind::kLightGcnPlusPlus;
}

Start first_parameters(const GradcheckOptions& options, const NamedModel& model, Seed seed) {
  // Rows of one number are as short as they are, and their cosines do not vary.
  if (!has_kinks(model) && !(divides_rows(model) && cosines_vary(options))) return {seed};
  constexpr std::uint64_t kTries = 200;
  double safest = -1.0;
  Start best{seed};
  for (std::uint64_t i = 0; i < kTries; ++i) {
    const Start start{Seed{seed.value + (i << 32)}};
    KinkWatch watch(model);
    StepProblem problem(watch, options, model, seed, start);
    watch.forget();  // SL@K has measured its thresholds with rows that the step may not divide
    problem.step();
    if (watch.safety() >= 1.0) return start;
    if (watch.safety() > safest) {
      safest = watch.safety();
      best = start;
    }
  }
  return best;
}

}  // namespace tern::gradcheck_detail
