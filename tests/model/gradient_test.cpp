// The gradient of the whole loss (of final embeddings, and L2 of layer 0) by every parameter of
// both models, in f64 on the reference backend, against differences of the loss.

#include <gtest/gtest.h>

#include <cmath>

#include "tern/device.hpp"
#include "tern/loss.hpp"
#include "tests/model/model_fixture.hpp"

namespace tern::test {
namespace {

constexpr double kL2 = 0.05;  // large enough that leaving it out would show

struct Case {
  ModelKind kind;
  int layers;
  int width;
  LossKind loss = LossKind::kBpr;
  SoftmaxNegatives negatives = SoftmaxNegatives::kBatch;
  int contrasted = 0;  // the layer; 0: no contrast
  PropagationKind propagation = PropagationKind::kLightGcn;

  /// The number of negatives of a positive pair.
  int negatives_each() const {
    const bool sampled = loss == LossKind::kCcl || negatives != SoftmaxNegatives::kBatch;
    return sampled ? 3 : 1;
  }
};

Case plus_plus(int layers, int width, LossKind loss = LossKind::kBpr) {
  return {.kind = ModelKind::kLightGcn,
          .layers = layers,
          .width = width,
          .loss = loss,
          .propagation = PropagationKind::kLightGcnPlusPlus};
}

void PrintTo(const Case& c, std::ostream* out) {
  *out << (c.kind == ModelKind::kLightGcn ? "lightgcn" : "mf") << " L" << c.layers << " D"
       << c.width
       << (c.negatives == SoftmaxNegatives::kSampled ? " sampled"
           : c.negatives == SoftmaxNegatives::kMixed ? " mixed"
                                                     : "")
       << (c.loss == LossKind::kSoftmax      ? " softmax"
           : c.loss == LossKind::kSoftmaxAtK ? " sl@k"
           : c.loss == LossKind::kCcl        ? " ccl"
           : c.loss == LossKind::kDirectAu   ? " directau"
                                             : "");
  if (c.contrasted > 0) *out << " contrast of " << c.contrasted;
  if (c.propagation == PropagationKind::kLightGcnPlusPlus) *out << " lightgcn++";
}

class Gradient : public ::testing::TestWithParam<Case> {
 protected:
  static ModelOptions options() {
    ModelOptions options = model_options(GetParam().kind, GetParam().width, GetParam().layers);
    options.init_std = 0.7;  // wide enough that softplus leaves its linear part
    // With γ = 0.2 the layers of a model of four would all have one weight.
    options.propagation = {.kind = GetParam().propagation, .gamma = 0.3};
    if (GetParam().contrasted > 0) {
      options.contrast = {.kind = ContrastKind::kXSimGcl,
                          .weight = 0.8,
                          .temperature = 0.4,
                          .magnitude = 0.3,
                          .layer = GetParam().contrasted};
    }
    return options;
  }

  ModelFixture f{make_reference_backend(),
                 with_isolated_nodes(12, 9, 30, 5),
                 options(),
                 5 * GetParam().negatives_each(),
                 {},
                 {.negatives_per_positive = GetParam().negatives_each()}};
  std::unique_ptr<Loss> loss = make_loss(*f.backend,
                                         {.kind = GetParam().loss,
                                          .negatives = GetParam().negatives,
                                          .softmax = {.temperature = 0.5},
                                          .margin = 0.1,
                                          .at_k = {.k = 3, .weight_temperature = 0.3}},
                                         kL2, 12);

  /// The loss of current batch b at the current parameters, always with the same noise; also computes
  /// their gradients.
  double loss_of(std::int64_t b) {
    for (const NamedCounter& counter : f.model->counters()) f.backend->set(*counter.value, 3);
    f.model->forward();
    Batch batch(*f.backend, f.triplets);
    loss->backward(*f.model, batch, f.losses);
    const std::vector<double> values = values_of(*f.backend, f.losses);
    double sum = 0.0;
    for (std::int64_t term = 0; term < f.losses.rows(); ++term) {
      sum += values[term * f.triplets.num_batches() + b];
    }
    return sum;
  }

  /// The gradient as dense numbers: zero outside a parameter's rows.
  std::vector<double> gradient_of(const Parameter& parameter, std::int64_t b) {
    std::vector<double> values = values_of(*f.backend, *parameter.gradient);
    if (parameter.rows == nullptr) return values;
    const auto width = static_cast<std::size_t>(parameter.value->cols());
    std::vector<bool> meant(values.size(), false);
    for (const Triplet& triplet : f.batch(b)) {
      const bool users = parameter.name == "user_embedding";
      for (std::size_t c = 0; c < width; ++c) {
        meant[(users ? triplet.user : triplet.positive) * width + c] = true;
        meant[(users ? triplet.user : triplet.negative) * width + c] = true;
      }
    }
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = meant[i] ? values[i] : 0.0;
    return values;
  }

  /// (loss(x + h direction) - loss(x - h direction)) / 2h; restores the parameter.
  double difference(Matrix& parameter, const std::vector<double>& direction, std::int64_t b) {
    constexpr double kStep = 1e-5;
    const std::vector<double> x = values_of(*f.backend, parameter);
    const auto shifted = [&](double step) {
      std::vector<double> at = x;
      for (std::size_t i = 0; i < at.size(); ++i) at[i] += step * direction[i];
      assign(*f.backend, parameter, at);
      return loss_of(b);
    };
    const double result = (shifted(kStep) - shifted(-kStep)) / (2.0 * kStep);
    assign(*f.backend, parameter, x);
    return result;
  }
};

TEST_P(Gradient, EqualsCentralDifferencesElementByElement) {
  loss->begin_epoch(*f.model, 6, {});  // measures what a loss keeps
  // The second batch: whatever the first one left in the buffers must not matter.
  loss_of(0);
  f.backend->next_batch(f.triplets);
  for (const Parameter& parameter : f.model->parameters()) {
    loss_of(1);
    const std::vector<double> gradient = gradient_of(parameter, 1);
    double largest = 0.0;
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      std::vector<double> direction(gradient.size(), 0.0);
      direction[i] = 1.0;
      const double expected = difference(*parameter.value, direction, 1);
      EXPECT_NEAR(gradient[i], expected, 1e-9) << parameter.name << " element " << i;
      largest = std::max(largest, std::abs(gradient[i]));
    }
    EXPECT_GT(largest, 1e-2) << parameter.name;  // not zero against zero
  }
}

TEST_P(Gradient, EqualsDirectionalDerivatives) {
  loss->begin_epoch(*f.model, 6, {});
  const std::int64_t last = f.triplets.num_batches() - 1;  // a short batch
  for (std::int64_t b = 0; b < last; ++b) f.backend->next_batch(f.triplets);
  ASSERT_NE(f.triplets.size() % f.triplets.batch_size(), 0);
  std::mt19937 random(11);
  std::normal_distribution<double> normal;
  for (int repeat = 0; repeat < 5; ++repeat) {
    for (const Parameter& parameter : f.model->parameters()) {
      loss_of(last);
      const std::vector<double> gradient = gradient_of(parameter, last);
      std::vector<double> direction(gradient.size());
      double expected = 0.0;
      for (std::size_t i = 0; i < gradient.size(); ++i) {
        direction[i] = normal(random);
        expected += direction[i] * gradient[i];
      }
      EXPECT_NEAR(difference(*parameter.value, direction, last), expected,
                  1e-8 * (1.0 + std::abs(expected)))
          << parameter.name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    , Gradient,
    ::testing::Values(
        Case{ModelKind::kLightGcn, 0, 3}, Case{ModelKind::kLightGcn, 1, 5},
        Case{ModelKind::kLightGcn, 2, 1}, Case{ModelKind::kLightGcn, 3, 7},
        Case{ModelKind::kLightGcn, 4, 3}, Case{ModelKind::kMatrixFactorization, 0, 1},
        Case{ModelKind::kMatrixFactorization, 0, 7},
        Case{ModelKind::kLightGcn, 1, 5, LossKind::kSoftmax},
        Case{ModelKind::kLightGcn, 3, 7, LossKind::kSoftmax},
        Case{ModelKind::kMatrixFactorization, 0, 7, LossKind::kSoftmax},
        Case{ModelKind::kLightGcn, 1, 5, LossKind::kBpr, SoftmaxNegatives::kBatch, 1},
        Case{ModelKind::kLightGcn, 2, 7, LossKind::kBpr, SoftmaxNegatives::kBatch, 1},
        Case{ModelKind::kLightGcn, 2, 5, LossKind::kSoftmax, SoftmaxNegatives::kBatch, 2},
        Case{ModelKind::kLightGcn, 3, 5, LossKind::kBpr, SoftmaxNegatives::kBatch, 1},
        Case{ModelKind::kLightGcn, 4, 3, LossKind::kSoftmax, SoftmaxNegatives::kBatch, 2},
        Case{ModelKind::kLightGcn, 4, 3, LossKind::kBpr, SoftmaxNegatives::kBatch, 4},
        Case{ModelKind::kLightGcn, 1, 5, LossKind::kDirectAu},
        Case{ModelKind::kLightGcn, 3, 7, LossKind::kDirectAu},
        Case{ModelKind::kMatrixFactorization, 0, 7, LossKind::kDirectAu},
        Case{ModelKind::kLightGcn, 2, 5, LossKind::kDirectAu, SoftmaxNegatives::kBatch, 1},

        Case{ModelKind::kLightGcn, 3, 7, LossKind::kSoftmax, SoftmaxNegatives::kSampled},
        Case{ModelKind::kMatrixFactorization, 0, 7, LossKind::kSoftmax, SoftmaxNegatives::kSampled},
        Case{ModelKind::kLightGcn, 1, 5, LossKind::kSoftmaxAtK},
        Case{ModelKind::kLightGcn, 3, 7, LossKind::kSoftmaxAtK},
        Case{ModelKind::kMatrixFactorization, 0, 7, LossKind::kSoftmaxAtK},
        Case{ModelKind::kLightGcn, 2, 5, LossKind::kSoftmaxAtK, SoftmaxNegatives::kBatch, 1},
        Case{ModelKind::kLightGcn, 3, 7, LossKind::kSoftmaxAtK, SoftmaxNegatives::kSampled},
        Case{ModelKind::kMatrixFactorization, 0, 7, LossKind::kSoftmaxAtK,
             SoftmaxNegatives::kSampled},
        Case{ModelKind::kLightGcn, 3, 7, LossKind::kSoftmax, SoftmaxNegatives::kMixed},
        Case{ModelKind::kMatrixFactorization, 0, 7, LossKind::kSoftmax, SoftmaxNegatives::kMixed},
        Case{ModelKind::kLightGcn, 2, 5, LossKind::kSoftmax, SoftmaxNegatives::kMixed, 1},
        Case{ModelKind::kLightGcn, 1, 5, LossKind::kSoftmaxAtK, SoftmaxNegatives::kMixed},
        Case{ModelKind::kLightGcn, 3, 7, LossKind::kCcl},
        Case{ModelKind::kMatrixFactorization, 0, 7, LossKind::kCcl},
        Case{ModelKind::kLightGcn, 2, 5, LossKind::kCcl, SoftmaxNegatives::kBatch, 1},
        plus_plus(1, 5), plus_plus(2, 7), plus_plus(3, 3), plus_plus(4, 5),
        plus_plus(2, 5, LossKind::kSoftmax), plus_plus(3, 7, LossKind::kDirectAu)));

}  // namespace
}  // namespace tern::test
