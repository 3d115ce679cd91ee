#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <string>

#include "tern/error.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/dense_layers.hpp"

// What the dense layer refuses, and its messages.
namespace tern::test {
namespace {

using ::testing::HasSubstr;

LayerShape two_sum_shape() {
  return {.rows = 4,
          .cols = 3,
          .inner = {.widths = {2}, .addend = true, .bias = true},
          .outer = {.widths = {5}, .addend = true, .bias = true}};
}

class LinearReluBatchnormRefusal : public BackendTest {
 protected:
  LinearReluBatchnormRefusal()
      : loaded_(backend_, two_sum_shape(), random_layer(two_sum_shape(), 1)),
        layer_(loaded_.layer()),
        gradients_(loaded_.gradients()) {}

  template <class Exception>
  void expect_refusal(const std::function<void()>& call, const std::string& words) {
    try {
      call();
      ADD_FAILURE() << "not refused: " << words;
    } catch (const Exception& error) {
      EXPECT_THAT(error.what(), HasSubstr(words));
    }
  }
  void forward_refuses(const DenseLayer& layer, const std::string& words) {
    expect_refusal<ShapeError>(
        [&] {
          backend_.linear_relu_batchnorm(layer, DenseMode::kTraining, loaded_.state, loaded_.z);
        },
        "linear_relu_batchnorm: " + words);
    // The backward pass makes the same checks.
    expect_refusal<ShapeError>(
        [&] {
          backend_.linear_relu_batchnorm_backward(layer, loaded_.state, loaded_.grad_z, gradients_);
        },
        "linear_relu_batchnorm_backward: " + words);
  }
  void backward_refuses(const DenseGradients& gradients, const std::string& words) {
    expect_refusal<ShapeError>(
        [&] {
          backend_.linear_relu_batchnorm_backward(layer_, loaded_.state, loaded_.grad_z, gradients);
        },
        "linear_relu_batchnorm_backward: " + words);
  }
  void option_refuses(const DenseLayer& layer, const std::string& words) {
    expect_refusal<ConfigError>(
        [&] {
          backend_.linear_relu_batchnorm(layer, DenseMode::kTraining, loaded_.state, loaded_.z);
        },
        words);
  }

  LoadedLayer loaded_;
  DenseLayer layer_;
  DenseGradients gradients_;
};

TEST_P(LinearReluBatchnormRefusal, OfNothing) {
  backend_.linear_relu_batchnorm(layer_, DenseMode::kTraining, loaded_.state, loaded_.z);
  backend_.linear_relu_batchnorm_backward(layer_, loaded_.state, loaded_.grad_z, gradients_);
}

TEST_P(LinearReluBatchnormRefusal, OfStates) {
  expect_refusal<ShapeError>([&] { backend_.make_dense_state(-1, 3); },
                             "make_dense_state: found size (-1, 3), expected no negative number");
  expect_refusal<ShapeError>([&] { backend_.make_dense_state(3, -2); },
                             "make_dense_state: found size (3, -2), expected no negative number");
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  EXPECT_THROW(backend_.make_dense_state(kMax, kMax), DeviceError);
  EXPECT_THROW(backend_.make_dense_state(kMax / 8, 1), DeviceError);
  EXPECT_THROW(backend_.make_dense_state(1, kMax), DeviceError);
  DenseState none;
  DenseState foreign(std::make_unique<StrangerStorage>(), 4, 3);
  DenseState narrow = backend_.make_dense_state(4, 2);
  for (DenseState* state : {&none, &foreign, &narrow}) {
    EXPECT_THROW(backend_.linear_relu_batchnorm(layer_, DenseMode::kTraining, *state, loaded_.z),
                 ShapeError);
    EXPECT_THROW(
        backend_.linear_relu_batchnorm_backward(layer_, *state, loaded_.grad_z, gradients_),
        ShapeError);
  }
  EXPECT_EQ(loaded_.state.rows(), 4);
  EXPECT_EQ(loaded_.state.cols(), 3);
}

TEST_P(LinearReluBatchnormRefusal, OfSums) {
  const Matrix wrong = backend_.allocate(7, 6);
  const Matrix none;
  const Matrix foreign = foreign_matrix(4, 3);
  for (const bool inner : {true, false}) {
    const std::string of = inner ? " of the inner sum" : " of the outer sum";
    const auto change = [&](const std::function<void(DenseSum&)>& change_sum) {
      DenseLayer layer = layer_;
      change_sum(inner ? layer.inner : layer.outer);
      return layer;
    };
    forward_refuses(change([](DenseSum& s) { s.terms[0].input = nullptr; }), "input 0" + of);
    forward_refuses(change([](DenseSum& s) { s.terms[0].weight = nullptr; }), "weight 0" + of);
    forward_refuses(change([&](DenseSum& s) { s.terms[0].input = &none; }), "input 0" + of);
    forward_refuses(change([&](DenseSum& s) { s.terms[0].weight = &none; }), "weight 0" + of);
    forward_refuses(change([&](DenseSum& s) { s.terms[0].input = &wrong; }), "input 0" + of);
    forward_refuses(change([&](DenseSum& s) { s.terms[0].weight = &wrong; }), "weight 0" + of);
    forward_refuses(change([&](DenseSum& s) { s.addend = &wrong; }), "addend" + of);
    forward_refuses(change([&](DenseSum& s) { s.bias = &wrong; }), "bias" + of);
    EXPECT_THROW(backend_.linear_relu_batchnorm(change([&](DenseSum& s) { s.addend = &foreign; }),
                                                DenseMode::kTraining, loaded_.state, loaded_.z),
                 ShapeError);
  }
  DenseLayer empty = layer_;
  empty.inner = {};
  forward_refuses(empty, "the inner sum is empty, expected a term");
}

TEST_P(LinearReluBatchnormRefusal, OfNormalisations) {
  Matrix wrong = backend_.allocate(1, 4);
  const auto change = [&](const std::function<void(BatchNorm&)>& change_norm) {
    DenseLayer layer = layer_;
    change_norm(*layer.batch_norm);
    return layer;
  };
  forward_refuses(change([](BatchNorm& n) { n.scale = nullptr; }), "scale");
  forward_refuses(change([](BatchNorm& n) { n.shift = nullptr; }), "shift");
  forward_refuses(change([](BatchNorm& n) { n.running_mean = nullptr; }), "running_mean");
  forward_refuses(change([](BatchNorm& n) { n.running_variance = nullptr; }), "running_variance");
  forward_refuses(change([&](BatchNorm& n) { n.scale = &wrong; }), "scale");
  forward_refuses(change([&](BatchNorm& n) { n.shift = &wrong; }), "shift");
  forward_refuses(change([&](BatchNorm& n) { n.running_mean = &wrong; }), "running_mean");
  forward_refuses(change([&](BatchNorm& n) { n.running_variance = &wrong; }), "running_variance");
  forward_refuses(change([&](BatchNorm& n) { n.running_variance = n.running_mean; }),
                  "running_mean");

  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const double epsilon : {0.0, -1e-5, kInfinity, std::nan("")}) {
    option_refuses(change([&](BatchNorm& n) { n.epsilon = epsilon; }),
                   "epsilon of batch normalisation");
  }
  for (const double momentum : {-0.1, 1.5, kInfinity, std::nan("")}) {
    option_refuses(change([&](BatchNorm& n) { n.momentum = momentum; }),
                   "momentum of batch normalisation");
  }
}

TEST_P(LinearReluBatchnormRefusal, OfBatchesWithoutVariance) {
  for (const std::int64_t rows : {0, 1}) {
    const LayerShape shape{.rows = rows, .cols = 3, .inner = {.widths = {2}}};
    LoadedLayer loaded(backend_, shape, random_layer(shape, 1));
    const std::string words = "batch normalisation in training found " + std::to_string(rows) +
                              " rows, expected at least 2; one row has no variance";
    expect_refusal<ShapeError>([&] { loaded.forward(DenseMode::kTraining); },
                               "linear_relu_batchnorm: " + words);
    expect_refusal<ShapeError>([&] { loaded.backward(loaded.gradients()); },
                               "linear_relu_batchnorm_backward: " + words);
    loaded.forward(DenseMode::kEvaluation);  // needs no variance
  }
}

TEST_P(LinearReluBatchnormRefusal, OfZ) {
  Matrix wrong = backend_.allocate(3, 4);
  Matrix none;
  Matrix foreign = foreign_matrix(4, 3);
  for (Matrix* z : {&wrong, &none, &foreign, &loaded_.inner.addend, &loaded_.outer.addend}) {
    EXPECT_THROW(backend_.linear_relu_batchnorm(layer_, DenseMode::kTraining, loaded_.state, *z),
                 ShapeError);
  }
  expect_refusal<ShapeError>(
      [&] {
        backend_.linear_relu_batchnorm(layer_, DenseMode::kTraining, loaded_.state,
                                       loaded_.outer.addend);
      },
      "addend of the outer sum");
  // If all matrices are (1, C), the vectors of the normalisation have z's shape too.
  const LayerShape row{.rows = 1, .cols = 3, .inner = {.widths = {2}, .bias = true}};
  LoadedLayer one(backend_, row, random_layer(row, 1));
  for (Matrix* z :
       {&one.inner.bias, &one.scale, &one.shift, &one.running_mean, &one.running_variance}) {
    EXPECT_THROW(backend_.linear_relu_batchnorm(one.layer(), DenseMode::kEvaluation, one.state, *z),
                 ShapeError);
  }
}

TEST_P(LinearReluBatchnormRefusal, OfGradients) {
  Matrix wrong = backend_.allocate(7, 6);
  Matrix none;
  const auto change = [&](const std::function<void(DenseGradients&)>& change_gradients) {
    DenseGradients gradients = gradients_;
    change_gradients(gradients);
    return gradients;
  };
  using G = DenseGradients;
  for (Matrix* bad : {&wrong, &none}) {
    backward_refuses(change([&](G& g) { g.inner.terms[0].input = bad; }),
                     "gradient of input 0 of the inner sum");
    backward_refuses(change([&](G& g) { g.outer.terms[0].weight = bad; }),
                     "gradient of weight 0 of the outer sum");
    backward_refuses(change([&](G& g) { g.inner.addend = bad; }),
                     "gradient of addend of the inner sum");
    backward_refuses(change([&](G& g) { g.outer.bias = bad; }),
                     "gradient of bias of the outer sum");
    backward_refuses(change([&](G& g) { g.scale = bad; }), "gradient of scale");
    backward_refuses(change([&](G& g) { g.shift = bad; }), "gradient of shift");
  }
  backward_refuses(change([](G& g) { g.outer.terms.resize(2); }),
                   "found gradients of 2 terms of the outer sum, expected 1 or none");
  backward_refuses(change([](G& g) { g.inner.addend = g.outer.addend; }),
                   "gradient of addend of the outer sum");
  backward_refuses(change([&](G& g) { g.inner.addend = &loaded_.outer.addend; }),
                   "gradient of addend of the inner sum");
  backward_refuses(change([&](G& g) { g.outer.addend = &loaded_.grad_z; }),
                   "gradient of addend of the outer sum and grad_z are the same matrix");
  DenseLayer plain = layer_;
  plain.batch_norm.reset();
  expect_refusal<ShapeError>(
      [&] {
        backend_.linear_relu_batchnorm_backward(plain, loaded_.state, loaded_.grad_z, gradients_);
      },
      "found gradients of scale and shift, but the layer has no batch normalisation");
  const Matrix narrow = backend_.allocate(4, 2);
  expect_refusal<ShapeError>(
      [&] { backend_.linear_relu_batchnorm_backward(layer_, loaded_.state, narrow, gradients_); },
      "grad_z");
}

INSTANTIATE_TEST_SUITE_P(Backends, LinearReluBatchnormRefusal,
                         testing::ValuesIn(backends_under_test()), backend_name);

}  // namespace
}  // namespace tern::test
