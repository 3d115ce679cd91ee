#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <vector>

#include "tests/support/backends.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/dense_oracle.hpp"

// The dense layer on numbers worked out by hand, and edge cases. Other tests of the layer, each in
// linear_relu_batchnorm_<name>_test.cpp: sizes and forms (battery), statistics, errors (refusal).
namespace tern::test {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

class LinearReluBatchnorm : public BackendTest {
 protected:
  /// Numbers of moderate size, a few roundings away.
  void expect_near(const Matrix& matrix, const Values& expected, const char* what) {
    const Values actual = values_of(backend_, matrix);
    ASSERT_EQ(actual.size(), expected.size()) << what;
    for (std::size_t i = 0; i < actual.size(); ++i) {
      EXPECT_NEAR(actual[i], expected[i], 16 * epsilon() * (1 + std::abs(expected[i])))
          << what << ", element " << i;
    }
  }
};

/// x W1 + b1 = [[3, 2], [-1, -3]], h W3 + b3 = [[-4, 2], [-8, 3]]: a = [[0, 4], [0, 3]]. Column 0
/// closes the outer ReLU while the inner one is open, column 1 the other way round.
LayerShape hand_shape() {
  return {.rows = 2,
          .cols = 2,
          .inner = {.widths = {2}, .bias = true},
          .outer = {.widths = {1}, .bias = true}};
}
LayerValues hand_values() {
  return {.inner = {.inputs = {{1, 2, 3, -1}},
                    .weights = {{1, -1, 2, 1}},
                    .addend = {},
                    .bias = {-2, 1}},
          .outer = {.inputs = {{1, 2}}, .weights = {{-4, 1}}, .addend = {}, .bias = {0, 1}},
          .scale = {5, 2},
          .shift = {-1, 10},
          .running_mean = {4, 1},
          .running_variance = {0.25, 3.25},
          .grad_z = {1, 4, 2, 1}};
}

/// ε = 3/4, momentum 1/2.
DenseLayer hand_layer(LoadedLayer& loaded) {
  DenseLayer layer = loaded.layer();
  layer.batch_norm->epsilon = 0.75;
  layer.batch_norm->momentum = 0.5;
  return layer;
}

TEST_P(LinearReluBatchnorm, MatchesHandComputationForward) {
  // Column 0 is constant: z = β. Column 1: mean 7/2, variance 1/4, so that sqrt(variance + ε) = 1.
  // Running: (1 - momentum) · old + momentum · new, with the unbiased variance (0 and 1/2):
  // formulas from the documentation of torch.nn.BatchNorm1d (PyTorch 1.13).
  LoadedLayer loaded(backend_, hand_shape(), hand_values());
  loaded.forward(DenseMode::kEvaluation);  // must not change the running statistics
  const DenseLayer layer = hand_layer(loaded);
  backend_.linear_relu_batchnorm(layer, DenseMode::kTraining, loaded.state, loaded.z);
  expect_near(loaded.z, {-1, 11, -1, 9}, "z");
  expect_near(loaded.running_mean, {2, 2.25}, "running mean");
  expect_near(loaded.running_variance, {0.125, 1.875}, "running variance");
}

TEST_P(LinearReluBatchnorm, MatchesHandComputationInEvaluation) {
  // sqrt(running variance + ε) = 1 and 2.
  LoadedLayer loaded(backend_, hand_shape(), hand_values());
  const DenseLayer layer = hand_layer(loaded);
  backend_.linear_relu_batchnorm(layer, DenseMode::kEvaluation, loaded.state, loaded.z);
  expect_near(loaded.z, {-21, 13, -21, 12}, "z");
  expect_near(loaded.running_mean, {4, 1}, "running mean");
  expect_near(loaded.running_variance, {0.25, 3.25}, "running variance");
}

TEST_P(LinearReluBatchnorm, MatchesHandComputationBackward) {
  // Column 1: x̂ = ±1/2, ∂γ = 4/2 - 1/2 = 3/2, ∂β = 5, ∂a = 2 (4 - 5/2 - 3/8) = 9/4 and -9/4.
  // Column 0: x̂ = 0, ∂γ = 0, ∂β = 3, and a = 0 stops all of it.
  LoadedLayer loaded(backend_, hand_shape(), hand_values());
  loaded.poison_gradients();
  const DenseLayer layer = hand_layer(loaded);
  backend_.linear_relu_batchnorm(layer, DenseMode::kTraining, loaded.state, loaded.z);
  backend_.linear_relu_batchnorm_backward(layer, loaded.state, loaded.grad_z, loaded.gradients());
  expect_near(loaded.grad_scale, {0, 1.5}, "scale");
  expect_near(loaded.grad_shift, {3, 5}, "shift");
  expect_near(loaded.grad_outer.weights[0], {0, -2.25}, "W3");
  expect_near(loaded.grad_outer.inputs[0], {2.25, -2.25}, "h");
  expect_near(loaded.grad_outer.bias, {0, 0}, "b3");
  expect_near(loaded.grad_inner.weights[0], {0, 2.25, 0, 4.5}, "W1");
  expect_near(loaded.grad_inner.inputs[0], {-2.25, 2.25, 0, 0}, "x");
  expect_near(loaded.grad_inner.bias, {0, 2.25}, "b1");
}

TEST_P(LinearReluBatchnorm, IsAnAffineMapWithoutActivationAndNormalisation) {
  const LayerShape shape{.rows = 1,
                         .cols = 2,
                         .inner = {.widths = {2, 1}, .addend = true, .bias = true},
                         .activation = Activation::kNone,
                         .batch_norm = false};
  LayerValues values;
  values.inner = {.inputs = {{1, -2}, {3}},
                  .weights = {{1, 2, 3, 4}, {5, 6}},
                  .addend = {100, 200},
                  .bias = {-1000, 1000}};
  values.grad_z = {2, -1};
  LoadedLayer loaded(backend_, shape, values);
  loaded.poison_gradients();
  // x W = [1 - 6, 2 - 8], plus [15, 18]
  EXPECT_TRUE(same_bits(loaded.forward(DenseMode::kTraining), {-890, 1212}));
  loaded.backward(loaded.gradients());
  expect_near(loaded.grad_inner.inputs[0], {0, 2}, "input 0");
  expect_near(loaded.grad_inner.inputs[1], {4}, "input 1");
  expect_near(loaded.grad_inner.weights[0], {2, -1, -4, 2}, "weight 0");
  expect_near(loaded.grad_inner.weights[1], {6, -3}, "weight 1");
  expect_near(loaded.grad_inner.addend, {2, -1}, "addend");
  expect_near(loaded.grad_inner.bias, {2, -1}, "bias");
  EXPECT_TRUE(same_bits(loaded.forward(DenseMode::kEvaluation), {-890, 1212}));
}

TEST_P(LinearReluBatchnorm, TheGradientOfReluAtZeroIsZero) {
  // inner 0, -0, 0, 1; outer 0, 2, 2, -1: both closed, inner closed, inner closed, outer closed.
  const LayerShape shape{.rows = 2,
                         .cols = 2,
                         .inner = {.addend = true},
                         .outer = {.addend = true},
                         .batch_norm = false};
  LayerValues values;
  values.inner.addend = {0, -0.0, 0, 1};
  values.outer.addend = {0, 2, 2, -1};
  values.grad_z = {1, 2, 3, 4};
  LoadedLayer loaded(backend_, shape, values);
  loaded.poison_gradients();
  expect_near((loaded.forward(DenseMode::kTraining), loaded.z), {0, 2, 2, 0}, "z");
  loaded.backward(loaded.gradients());
  expect_near(loaded.grad_outer.addend, {0, 2, 3, 0}, "outer");
  expect_near(loaded.grad_inner.addend, {0, 0, 0, 0}, "inner");
}

TEST_P(LinearReluBatchnorm, NaNReachesItsRowAndPassesBack) {
  // Row 1 of x is NaN. Without batch statistics no other row is affected.
  const LayerShape shape{.rows = 3,
                         .cols = 2,
                         .inner = {.widths = {2}, .bias = true},
                         .outer = {.widths = {1}, .bias = true},
                         .batch_norm = false};
  LayerValues values = random_layer(shape, 3);
  const std::map<std::string, Comparison> clean = expect_layer(
      shape, values, DenseMode::kTraining, epsilon(), DenseTermGradients::Write::kOverwrite);
  values.inner.inputs[0][3] = kNaN;
  LoadedLayer loaded(backend_, shape, values);
  loaded.poison_gradients();
  const Values z = loaded.forward(DenseMode::kTraining);
  for (std::size_t i = 0; i < 6; ++i) {
    if (i / 2 == 1) {
      EXPECT_TRUE(std::isnan(z[i])) << i;
    } else {
      EXPECT_NEAR(z[i], clean.at("z").expected[i], 1e-5) << i;
    }
  }
  loaded.backward(loaded.gradients());
  // NaN passes the ReLU: the row's gradient comes from its products alone, and is finite.
  const Values grad = values_of(backend_, loaded.grad_outer.inputs[0]);
  const Values& w = values.outer.weights[0];
  EXPECT_NEAR(grad[1], values.grad_z[2] * w[0] + values.grad_z[3] * w[1], 1e-5);
  EXPECT_TRUE(std::isnan(values_of(backend_, loaded.grad_inner.weights[0])[2]));
}

TEST_P(LinearReluBatchnorm, NaNReachesEveryRowThroughTheStatisticsOfItsColumn) {
  const LayerShape shape{.rows = 700, .cols = 3, .inner = {.addend = true}};
  LayerValues values = random_layer(shape, 4);
  values.inner.addend[600 * 3 + 1] = kNaN;
  LoadedLayer loaded(backend_, shape, values);
  const Values z = loaded.forward(DenseMode::kTraining);
  for (std::size_t i = 0; i < z.size(); ++i) EXPECT_EQ(std::isnan(z[i]), i % 3 == 1) << i;
  EXPECT_TRUE(std::isnan(values_of(backend_, loaded.running_mean)[1]));
  EXPECT_TRUE(std::isnan(values_of(backend_, loaded.running_variance)[1]));
  EXPECT_TRUE(std::isfinite(values_of(backend_, loaded.running_variance)[2]));
}

TEST_P(LinearReluBatchnorm, EvaluationOfARowDependsOnThatRowAlone) {
  const LayerShape shape{.rows = 300,
                         .cols = 20,
                         .inner = {.widths = {6}, .bias = true},
                         .outer = {.widths = {9}, .addend = true, .bias = true}};
  const LayerValues all = random_layer(shape, 5);
  const Values z = LoadedLayer(backend_, shape, all).forward(DenseMode::kEvaluation);
  for (const std::int64_t row : {0, 1, 255, 299}) {
    LayerShape one = shape;
    one.rows = 1;
    LayerValues values = all;
    const auto keep = [row](Values& table, std::int64_t cols) {
      table = Values(table.begin() + row * cols, table.begin() + (row + 1) * cols);
    };
    keep(values.inner.inputs[0], 6);
    keep(values.outer.inputs[0], 9);
    keep(values.outer.addend, 20);
    keep(values.grad_z, 20);
    const Values alone = LoadedLayer(backend_, one, values).forward(DenseMode::kEvaluation);
    for (std::int64_t c = 0; c < 20; ++c) {
      EXPECT_NEAR(alone[c], z[row * 20 + c], 512 * epsilon() * (1 + std::abs(alone[c]))) << row;
    }
  }
}

TEST_P(LinearReluBatchnorm, LayersWithoutElementsDoNothing) {
  for (const auto& [rows, cols] : {std::pair{0, 3}, {0, 0}, {4, 0}}) {
    const LayerShape shape{.rows = rows,
                           .cols = cols,
                           .inner = {.widths = {2, 0}, .addend = true, .bias = true},
                           .outer = {.widths = {3}, .bias = true},
                           .batch_norm = rows > 0};
    const LayerValues values = random_layer(shape, 6);
    LoadedLayer loaded(backend_, shape, values);
    loaded.poison_gradients();
    EXPECT_TRUE(loaded.forward(DenseMode::kTraining).empty());
    loaded.backward(loaded.gradients());
    EXPECT_TRUE(matches(loaded.outputs(),
                        expect_layer(shape, values, DenseMode::kTraining, epsilon(), loaded.add),
                        epsilon()))
        << shape.describe();
    EXPECT_TRUE(loaded.forward(DenseMode::kEvaluation).empty());
  }
}

TEST_P(LinearReluBatchnorm, LeavesItsInputsAsTheyAre) {
  const LayerShape shape{.rows = 70,
                         .cols = 19,
                         .inner = {.widths = {3, 4}, .addend = true, .bias = true},
                         .outer = {.widths = {5}, .addend = true, .bias = true}};
  LoadedLayer loaded(backend_, shape, random_layer(shape, 7));
  const std::vector<Values> before = loaded.constants();
  loaded.forward(DenseMode::kTraining);
  const Values running = values_of(backend_, loaded.running_mean);
  const Values z = values_of(backend_, loaded.z);
  loaded.backward(loaded.gradients());
  EXPECT_TRUE(same_bits(values_of(backend_, loaded.z), z)) << "after the backward pass";
  loaded.forward(DenseMode::kEvaluation);
  EXPECT_TRUE(same_bits(values_of(backend_, loaded.running_mean), running));
  const std::vector<Values> after = loaded.constants();
  ASSERT_EQ(after.size(), before.size());
  for (std::size_t i = 0; i < after.size(); ++i) EXPECT_TRUE(same_bits(after[i], before[i])) << i;
}

/// λ/2B Σ‖row‖² of all rows, λ = 1: an op that may sum the padding too.
double penalty_of(Backend& backend, const Matrix& users) {
  const auto rows = static_cast<NodeId>(users.rows());
  std::vector<Interaction> pairs;
  std::vector<Triplet> batch;
  for (NodeId user = 0; user < rows; ++user) {
    pairs.push_back({user, 0});
    batch.push_back({user, 0, 1});
  }
  const Graph graph = backend.make_graph(Interactions::from_pairs(rows, 2, pairs));
  Triplets triplets = backend.make_triplets(graph, {}, rows);
  backend.set_triplets(triplets, batch);
  const Matrix items = backend.allocate(2, users.cols());
  Matrix grad_users = backend.allocate(rows, users.cols());
  Matrix grad_items = backend.allocate(2, users.cols());
  Matrix losses = backend.allocate(2, 1);
  backend.l2_penalty(triplets, 1, users, items, grad_users, grad_items, losses);
  return values_of(backend, losses)[1];
}

TEST_P(LinearReluBatchnorm, LeavesNothingBesideTheColumnsOfItsResults) {
  // If a backend pads its rows, the padding must stay as an upload leaves it.
  for (const bool norm : {true, false}) {
    const LayerShape shape{.rows = 40,
                           .cols = 19,
                           .inner = {.widths = {3, 4}, .addend = true, .bias = true},
                           .outer = {.widths = {5}, .addend = true, .bias = true},
                           .batch_norm = norm};
    LoadedLayer loaded(backend_, shape, random_layer(shape, 9));
    loaded.forward(DenseMode::kTraining);
    loaded.backward(loaded.gradients());
    std::vector<const Matrix*> results{&loaded.z};
    for (const SumMatrices* sum : {&loaded.grad_inner, &loaded.grad_outer}) {
      for (const Matrix& matrix : sum->inputs) results.push_back(&matrix);
      for (const Matrix& matrix : sum->weights) results.push_back(&matrix);
      results.push_back(&sum->addend);
      results.push_back(&sum->bias);
    }
    if (norm) {
      for (const Matrix* matrix : {&loaded.grad_scale, &loaded.grad_shift, &loaded.running_mean,
                                   &loaded.running_variance}) {
        results.push_back(matrix);
      }
    }
    for (std::size_t i = 0; i < results.size(); ++i) {
      const Matrix copy = make_matrix(backend_, results[i]->rows(), results[i]->cols(),
                                      values_of(backend_, *results[i]));
      EXPECT_EQ(penalty_of(backend_, *results[i]), penalty_of(backend_, copy)) << i;
    }
  }
}

TEST_P(LinearReluBatchnorm, TheBackwardPassNeedsNoZ) {
  // The op after the layer may work in place, as dropout does.
  const LayerShape shape{.rows = 40, .cols = 7, .inner = {.widths = {3}}, .batch_norm = false};
  LoadedLayer loaded(backend_, shape, random_layer(shape, 8));
  loaded.forward(DenseMode::kTraining);
  loaded.backward(loaded.gradients());
  const Values expected = values_of(backend_, loaded.grad_inner.weights[0]);
  loaded.forward(DenseMode::kTraining);
  backend_.fill(loaded.z, kNaN);
  loaded.backward(loaded.gradients());
  EXPECT_TRUE(same_bits(values_of(backend_, loaded.grad_inner.weights[0]), expected));
}

INSTANTIATE_TEST_SUITE_P(Backends, LinearReluBatchnorm, testing::ValuesIn(backends_under_test()),
                         backend_name);

}  // namespace
}  // namespace tern::test
