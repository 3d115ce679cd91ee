#include <fmt/format.h>

#include <cmath>
#include <string>
#include <vector>

#include "host/backend/checks.hpp"
#include "host/backend/expect.hpp"

// Checks of the dense layer and of dropout.

namespace tern {
namespace {

constexpr std::string_view kForward = "linear_relu_batchnorm";
constexpr std::string_view kBackward = "linear_relu_batchnorm_backward";

void expect_sum(std::string_view op, std::string_view name, const DenseSum& sum, std::int64_t rows,
                std::int64_t cols, std::vector<NamedMatrix>& inputs) {
  for (std::size_t t = 0; t < sum.terms.size(); ++t) {
    const auto& [input, weight] = sum.terms[t];
    const std::string input_name = fmt::format("input {} of the {} sum", t, name);
    const std::string weight_name = fmt::format("weight {} of the {} sum", t, name);
    if (input == nullptr) throw_empty(op, input_name);
    if (weight == nullptr) throw_empty(op, weight_name);
    expect_present(op, input_name, *input);
    expect_shape(op, input_name, *input, rows, input->cols());
    expect_shape(op, weight_name, *weight, input->cols(), cols);
    inputs.push_back({input_name, input});
    inputs.push_back({weight_name, weight});
  }
  if (sum.addend != nullptr) {
    inputs.push_back({fmt::format("addend of the {} sum", name), sum.addend});
    expect_shape(op, inputs.back().name, *sum.addend, rows, cols);
  }
  if (sum.bias != nullptr) {
    inputs.push_back({fmt::format("bias of the {} sum", name), sum.bias});
    expect_shape(op, inputs.back().name, *sum.bias, 1, cols);
  }
}

void expect_row(std::string_view op, std::string_view name, const Matrix* matrix,
                std::int64_t cols) {
  if (matrix == nullptr) throw_empty(op, name);
  expect_shape(op, name, *matrix, 1, cols);
}

/// Checks a layer for either pass; returns its inputs by name.
std::vector<NamedMatrix> expect_layer(std::string_view op, const DenseLayer& layer,
                                      const DenseState& state) {
  expect_present(op, "state", state);
  std::vector<NamedMatrix> inputs;
  if (layer.inner.empty()) throw_shape("{}: the inner sum is empty, expected a term", op);
  expect_sum(op, "inner", layer.inner, state.rows(), state.cols(), inputs);
  expect_sum(op, "outer", layer.outer, state.rows(), state.cols(), inputs);
  if (layer.batch_norm.has_value()) {
    const BatchNorm& norm = *layer.batch_norm;
    expect_row(op, "scale", norm.scale, state.cols());
    expect_row(op, "shift", norm.shift, state.cols());
    expect_row(op, "running_mean", norm.running_mean, state.cols());
    expect_row(op, "running_variance", norm.running_variance, state.cols());
    expect_distinct(op, "running_mean", *norm.running_mean, "running_variance",
                    *norm.running_variance);
    expect_option("epsilon of batch normalisation", norm.epsilon,
                  norm.epsilon > 0 && std::isfinite(norm.epsilon), "a finite number above 0");
    expect_option("momentum of batch normalisation", norm.momentum,
                  norm.momentum >= 0 && norm.momentum <= 1, "[0, 1]");
    inputs.push_back({"scale", norm.scale});
    inputs.push_back({"shift", norm.shift});
  }
  return inputs;
}

void expect_batch(std::string_view op, const DenseLayer& layer, const DenseState& state) {
  if (layer.batch_norm.has_value() && state.rows() < 2) {
    throw_shape(
        "{}: batch normalisation in training found {} rows, expected at least 2; one row has no "
        "variance",
        op, state.rows());
  }
}

/// Checks the gradients of one sum against the sum, and adds them to `outputs`.
void expect_sum_gradients(std::string_view name, const DenseSum& sum,
                          const DenseSumGradients& gradients, std::int64_t rows, std::int64_t cols,
                          std::vector<NamedMatrix>& outputs) {
  if (!gradients.terms.empty() && gradients.terms.size() != sum.terms.size()) {
    throw_shape("{}: found gradients of {} terms of the {} sum, expected {} or none", kBackward,
                gradients.terms.size(), name, sum.terms.size());
  }
  const auto add = [&](std::string what, const Matrix* matrix, std::int64_t of_rows,
                       std::int64_t of_cols) {
    if (matrix == nullptr) return;
    outputs.push_back({fmt::format("gradient of {} of the {} sum", what, name), matrix});
    expect_shape(kBackward, outputs.back().name, *matrix, of_rows, of_cols);
  };
  for (std::size_t t = 0; t < gradients.terms.size(); ++t) {
    const std::int64_t inner = sum.terms[t].input->cols();
    add(fmt::format("input {}", t), gradients.terms[t].input, rows, inner);
    add(fmt::format("weight {}", t), gradients.terms[t].weight, inner, cols);
  }
  add("addend", gradients.addend, rows, cols);
  add("bias", gradients.bias, 1, cols);
}

}  // namespace

void check_make_dense_state(std::int64_t rows, std::int64_t cols) {
  if (rows < 0 || cols < 0) {
    throw_shape("make_dense_state: found size ({}, {}), expected no negative number", rows, cols);
  }
}

void check_linear_relu_batchnorm(const DenseLayer& layer, DenseMode mode, const DenseState& state,
                                 const Matrix& z) {
  std::vector<NamedMatrix> inputs = expect_layer(kForward, layer, state);
  if (mode == DenseMode::kTraining) expect_batch(kForward, layer, state);
  expect_shape(kForward, "z", z, state.rows(), state.cols());
  if (layer.batch_norm.has_value()) {
    inputs.push_back({"running_mean", layer.batch_norm->running_mean});
    inputs.push_back({"running_variance", layer.batch_norm->running_variance});
  }
  for (const auto& [name, matrix] : inputs) expect_distinct(kForward, "z", z, name, *matrix);
}

void check_linear_relu_batchnorm_backward(const DenseLayer& layer, const DenseState& state,
                                          const Matrix& grad_z, const DenseGradients& gradients) {
  std::vector<NamedMatrix> inputs = expect_layer(kBackward, layer, state);
  expect_batch(kBackward, layer, state);
  const std::int64_t rows = state.rows();
  const std::int64_t cols = state.cols();
  expect_shape(kBackward, "grad_z", grad_z, rows, cols);
  inputs.push_back({"grad_z", &grad_z});
  std::vector<NamedMatrix> outputs;
  expect_sum_gradients("inner", layer.inner, gradients.inner, rows, cols, outputs);
  expect_sum_gradients("outer", layer.outer, gradients.outer, rows, cols, outputs);
  if (!layer.batch_norm.has_value() && (gradients.scale != nullptr || gradients.shift != nullptr)) {
    throw_shape("{}: found gradients of scale and shift, but the layer has no batch normalisation",
                kBackward);
  }
  for (const auto& [name, matrix] : {NamedMatrix{"gradient of scale", gradients.scale},
                                     NamedMatrix{"gradient of shift", gradients.shift}}) {
    if (matrix == nullptr) continue;
    expect_shape(kBackward, name, *matrix, 1, cols);
    outputs.push_back({name, matrix});
  }
  for (const NamedMatrix& output : outputs) {
    for (const auto& [name, matrix] : inputs) {
      expect_distinct(kBackward, output.name, *output.matrix, name, *matrix);
    }
  }
  expect_distinct(kBackward, outputs);
}

void check_dropout(const DropoutOptions& options, const Counter& step, const Matrix& values) {
  expect_option("probability of dropout", options.probability,
                options.probability >= 0 && options.probability < 1, "[0, 1)");
  expect_option("place of dropout", options.place, options.place < (1u << 16), "below 65536");
  expect_present("dropout", "step", step);
  expect_present("dropout", "values", values);
}

std::uint32_t dropout_threshold(double probability) {
  const double threshold = std::nearbyint(probability * 0x1p32);
  return threshold < 0x1p32 ? static_cast<std::uint32_t>(threshold) : 0xFFFFFFFFu;
}

}  // namespace tern
