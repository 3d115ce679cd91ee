#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tern/device.hpp"
#include "tests/support/dense_layers.hpp"

// Gradients of the dense layer against central differences, in f64 on the reference.
// linear_relu_batchnorm_battery_test.cpp compares the other backends with the formulas.
namespace tern::test {
namespace {

/// Every argument of a ReLU is 1/16 or more from 0, see random_layer(): no step
/// crosses a kink.
std::vector<LayerShape> smooth_shapes() {
  const SumShape inner{.widths = {2, 3}, .addend = true, .bias = true};
  const SumShape outer{.widths = {3}, .addend = true, .bias = true};
  const SumShape none;
  return {{.rows = 5, .cols = 3, .inner = inner, .outer = outer},
          {.rows = 5, .cols = 3, .inner = inner, .outer = outer, .batch_norm = false},
          {.rows = 6, .cols = 2, .inner = inner, .outer = none},
          {.rows = 2, .cols = 4, .inner = inner, .outer = outer},
          {.rows = 5, .cols = 3, .inner = inner, .outer = outer, .activation = Activation::kNone},
          {.rows = 1,
           .cols = 3,
           .inner = inner,
           .outer = none,
           .activation = Activation::kNone,
           .batch_norm = false}};
}

/// Σ grad_z ⊙ z, the loss whose gradients the backward pass computes.
double loss_of(Backend& backend, const LayerShape& shape, const LayerValues& values) {
  const Values z = LoadedLayer(backend, shape, values).forward(DenseMode::kTraining);
  double loss = 0;
  for (std::size_t i = 0; i < z.size(); ++i) loss += values.grad_z[i] * z[i];
  return loss;
}

/// Everything that the loss depends on, by the names of the gradients.
std::vector<std::pair<std::string, std::function<Values&(LayerValues&)>>> parameters_of(
    const LayerShape& shape) {
  std::vector<std::pair<std::string, std::function<Values&(LayerValues&)>>> all;
  for (const bool inner : {true, false}) {
    const SumShape& sum = inner ? shape.inner : shape.outer;
    const auto of = [inner](LayerValues& v) -> SumValues& { return inner ? v.inner : v.outer; };
    const std::string name = inner ? " of the inner sum" : " of the outer sum";
    for (std::size_t t = 0; t < sum.widths.size(); ++t) {
      const std::string number(1, static_cast<char>('0' + t));
      all.emplace_back("gradient of input " + number + name,
                       [=](LayerValues& v) -> Values& { return of(v).inputs[t]; });
      all.emplace_back("gradient of weight " + number + name,
                       [=](LayerValues& v) -> Values& { return of(v).weights[t]; });
    }
    if (sum.addend) {
      all.emplace_back("gradient of addend" + name,
                       [=](LayerValues& v) -> Values& { return of(v).addend; });
    }
    if (sum.bias) {
      all.emplace_back("gradient of bias" + name,
                       [=](LayerValues& v) -> Values& { return of(v).bias; });
    }
  }
  if (shape.batch_norm) {
    all.emplace_back("gradient of scale", [](LayerValues& v) -> Values& { return v.scale; });
    all.emplace_back("gradient of shift", [](LayerValues& v) -> Values& { return v.shift; });
  }
  return all;
}

TEST(LinearReluBatchnormGradient, IsThatOfCentralDifferences) {
  constexpr double kStep = 3e-5;
  const std::unique_ptr<Backend> backend = make_reference_backend();
  for (const LayerShape& shape : smooth_shapes()) {
    for (const std::uint64_t seed : {1, 2, 3}) {
      LayerValues values = random_layer(shape, seed);
      LoadedLayer loaded(*backend, shape, values);
      loaded.poison_gradients();
      loaded.forward(DenseMode::kTraining);
      loaded.backward(loaded.gradients());
      const auto found = loaded.outputs();
      for (const auto& [name, parameter] : parameters_of(shape)) {
        const Values& gradient = found.at(name);
        ASSERT_EQ(gradient.size(), parameter(values).size());
        for (std::size_t i = 0; i < gradient.size(); ++i) {
          double& element = parameter(values)[i];
          const double middle = element;
          const auto difference = [&](double step) {
            element = middle + step;
            const double above = loss_of(*backend, shape, values);
            element = middle - step;
            const double below = loss_of(*backend, shape, values);
            element = middle;
            return (above - below) / (2 * step);
          };
          // Two steps: each has an error of step² times the third derivative, which is large if two
          // rows differ by noise alone (1 / σ), and which cancels here.
          const double numeric = (4 * difference(kStep) - difference(2 * kStep)) / 3;
          EXPECT_NEAR(gradient[i], numeric,
                      1e-8 * (1 + std::abs(gradient[i])) * (shape.rows == 2 ? 100 : 1))
              << name << ", element " << i << ", " << shape.describe() << ", seed " << seed;
        }
      }
    }
  }
}

}  // namespace
}  // namespace tern::test
