#include "tests/support/dense_layers.hpp"

#include <fmt/format.h>

#include <limits>
#include <stdexcept>
#include <utility>

namespace tern::test {
namespace {

std::int64_t total_width(const SumShape& sum) {
  std::int64_t total = 0;
  for (const std::int64_t width : sum.widths) total += width;
  return total;
}

std::string describe_sum(const SumShape& sum) {
  std::string text;
  for (const std::int64_t width : sum.widths) text += fmt::format("{} ", width);
  return text + (sum.addend ? "addend " : "") + (sum.bias ? "bias " : "");
}

Values plus(Values values, const Values& others, double factor) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(values[i] + factor * others[i]);
  }
  return values;
}

SumValues random_sum(const LayerShape& shape, const SumShape& sum, double fraction,
                     std::uint64_t seed) {
  constexpr double kNoise = 0x1p-14;
  if (sum.bias && total_width(sum) > 320) throw std::logic_error("the noise would cross a kink");
  const auto noisy = [&](std::int64_t size, std::uint64_t of) {
    return plus(random_integers(size, of, 2), random_values(size, of + 1), sum.bias ? kNoise : 0.0);
  };
  SumValues values;
  for (const std::int64_t width : sum.widths) {
    seed += 10;
    values.inputs.push_back(noisy(shape.rows * width, seed));
    values.weights.push_back(noisy(width * shape.cols, seed + 5));
  }
  if (sum.addend) values.addend = random_integers(shape.rows * shape.cols, seed + 12, 3);
  if (sum.bias) {
    values.bias = plus(random_integers(shape.cols, seed + 13, 2),
                       Values(static_cast<std::size_t>(shape.cols), 1), fraction);
  }
  return values;
}

SumMatrices load(Backend& backend, const LayerShape& shape, const SumShape& sum,
                 const SumValues& values) {
  SumMatrices matrices;
  for (std::size_t t = 0; t < sum.widths.size(); ++t) {
    matrices.inputs.push_back(make_matrix(backend, shape.rows, sum.widths[t], values.inputs[t]));
    matrices.weights.push_back(make_matrix(backend, sum.widths[t], shape.cols, values.weights[t]));
  }
  if (sum.addend) matrices.addend = make_matrix(backend, shape.rows, shape.cols, values.addend);
  if (sum.bias) matrices.bias = make_matrix(backend, 1, shape.cols, values.bias);
  return matrices;
}

SumMatrices make_outputs(Backend& backend, const LayerShape& shape, const SumShape& sum) {
  SumMatrices matrices;
  for (const std::int64_t width : sum.widths) {
    matrices.inputs.push_back(backend.allocate(shape.rows, width));
    matrices.weights.push_back(backend.allocate(width, shape.cols));
  }
  if (sum.addend) matrices.addend = backend.allocate(shape.rows, shape.cols);
  if (sum.bias) matrices.bias = backend.allocate(1, shape.cols);
  return matrices;
}

const Matrix* pointer(const Matrix& matrix) {
  return matrix.empty() ? nullptr : &matrix;
}
Matrix* pointer(Matrix& matrix) {
  return matrix.empty() ? nullptr : &matrix;
}

DenseSum sum_of(const SumMatrices& matrices) {
  DenseSum sum{.terms = {}, .addend = pointer(matrices.addend), .bias = pointer(matrices.bias)};
  for (std::size_t t = 0; t < matrices.inputs.size(); ++t) {
    sum.terms.push_back({&matrices.inputs[t], &matrices.weights[t]});
  }
  return sum;
}

DenseSumGradients gradients_of(SumMatrices& outputs, DenseTermGradients::Write first) {
  DenseSumGradients gradients{
      .terms = {}, .addend = pointer(outputs.addend), .bias = pointer(outputs.bias)};
  for (std::size_t t = 0; t < outputs.inputs.size(); ++t) {
    const auto write = t == 0 ? first : DenseTermGradients::Write::kOverwrite;
    gradients.terms.push_back({&outputs.inputs[t], &outputs.weights[t], write});
  }
  return gradients;
}

/// All matrices of a sum by their names.
std::vector<std::pair<std::string, const Matrix*>> named(const SumMatrices& sum,
                                                         const std::string& name) {
  std::vector<std::pair<std::string, const Matrix*>> all;
  for (std::size_t t = 0; t < sum.inputs.size(); ++t) {
    const std::string of = fmt::format(" {} of the {} sum", t, name);
    all.emplace_back("input" + of, &sum.inputs[t]);
    all.emplace_back("weight" + of, &sum.weights[t]);
  }
  if (!sum.addend.empty()) all.emplace_back("addend of the " + name + " sum", &sum.addend);
  if (!sum.bias.empty()) all.emplace_back("bias of the " + name + " sum", &sum.bias);
  return all;
}

}  // namespace

std::string LayerShape::describe() const {
  return fmt::format("({}, {}), inner {}, outer {}{}{}", rows, cols, describe_sum(inner),
                     describe_sum(outer), activation == Activation::kRelu ? ", ReLU" : "",
                     batch_norm ? ", BN" : "");
}

std::int64_t LayerShape::work() const {
  return rows * cols * (1 + total_width(inner) + total_width(outer));
}

LayerValues random_layer(const LayerShape& shape, std::uint64_t seed) {
  seed *= 1000;
  LayerValues values;
  values.inner = random_sum(shape, shape.inner, 0.5, seed);
  values.outer = random_sum(shape, shape.outer, 0.25, seed + 500);
  values.grad_z = random_values(shape.rows * shape.cols, seed + 1);
  if (shape.batch_norm) {
    values.scale = random_values(shape.cols, seed + 2, 1.5);
    values.shift = random_values(shape.cols, seed + 3);
    values.running_mean = random_values(shape.cols, seed + 4, 2);
    values.running_variance = random_values(shape.cols, seed + 5, 0.75);
    for (double& variance : values.running_variance) variance = static_cast<float>(variance + 1);
  }
  return values;
}

LoadedLayer::LoadedLayer(Backend& backend, const LayerShape& shape, const LayerValues& values)
    : inner(load(backend, shape, shape.inner, values.inner)),
      outer(load(backend, shape, shape.outer, values.outer)),
      grad_z(make_matrix(backend, shape.rows, shape.cols, values.grad_z)),
      z(backend.allocate(shape.rows, shape.cols)),
      state(backend.make_dense_state(shape.rows, shape.cols)),
      grad_inner(make_outputs(backend, shape, shape.inner)),
      grad_outer(make_outputs(backend, shape, shape.outer)),
      backend_(backend),
      shape_(shape) {
  if (shape.batch_norm) {
    scale = make_matrix(backend, 1, shape.cols, values.scale);
    shift = make_matrix(backend, 1, shape.cols, values.shift);
    running_mean = make_matrix(backend, 1, shape.cols, values.running_mean);
    running_variance = make_matrix(backend, 1, shape.cols, values.running_variance);
    grad_scale = backend.allocate(1, shape.cols);
    grad_shift = backend.allocate(1, shape.cols);
  }
}

DenseLayer LoadedLayer::layer() {
  DenseLayer layer{.inner = sum_of(inner),
                   .outer = sum_of(outer),
                   .activation = shape_.activation,
                   .batch_norm = std::nullopt};
  if (shape_.batch_norm) {
    layer.batch_norm = BatchNorm{.scale = &scale,
                                 .shift = &shift,
                                 .running_mean = &running_mean,
                                 .running_variance = &running_variance};
  }
  return layer;
}

DenseGradients LoadedLayer::gradients() {
  return {.inner = gradients_of(grad_inner, add),
          .outer = gradients_of(grad_outer, add),
          .scale = pointer(grad_scale),
          .shift = pointer(grad_shift)};
}

Values LoadedLayer::forward(DenseMode mode) {
  backend_.fill(z, std::numeric_limits<double>::quiet_NaN());
  backend_.linear_relu_batchnorm(layer(), mode, state, z);
  return values_of(backend_, z);
}

void LoadedLayer::backward(const DenseGradients& wanted) {
  backend_.linear_relu_batchnorm_backward(layer(), state, grad_z, wanted);
}

void LoadedLayer::poison_gradients() {
  constexpr double kPoison = std::numeric_limits<double>::quiet_NaN();
  for (SumMatrices* sum : {&grad_inner, &grad_outer}) {
    for (std::size_t t = 0; t < sum->inputs.size(); ++t) {
      const bool adds = t == 0 && add == DenseTermGradients::Write::kAdd;
      backend_.fill(sum->inputs[t], adds ? kStart : kPoison);
      backend_.fill(sum->weights[t], kPoison);
    }
    if (!sum->addend.empty()) backend_.fill(sum->addend, kPoison);
    if (!sum->bias.empty()) backend_.fill(sum->bias, kPoison);
  }
  for (Matrix* matrix : {&grad_scale, &grad_shift}) {
    if (!matrix->empty()) backend_.fill(*matrix, kPoison);
  }
}

std::map<std::string, Values> LoadedLayer::outputs() const {
  std::map<std::string, Values> all{{"z", values_of(backend_, z)}};
  for (const auto& [name, matrix] : named(grad_inner, "inner")) {
    all["gradient of " + name] = values_of(backend_, *matrix);
  }
  for (const auto& [name, matrix] : named(grad_outer, "outer")) {
    all["gradient of " + name] = values_of(backend_, *matrix);
  }
  if (shape_.batch_norm) {
    all["running_mean"] = values_of(backend_, running_mean);
    all["running_variance"] = values_of(backend_, running_variance);
    all["gradient of scale"] = values_of(backend_, grad_scale);
    all["gradient of shift"] = values_of(backend_, grad_shift);
  }
  return all;
}

std::vector<Values> LoadedLayer::constants() const {
  std::vector<Values> all{values_of(backend_, grad_z)};
  for (const SumMatrices* sum : {&inner, &outer}) {
    for (const auto& [name, matrix] : named(*sum, "")) all.push_back(values_of(backend_, *matrix));
  }
  if (shape_.batch_norm) {
    all.push_back(values_of(backend_, scale));
    all.push_back(values_of(backend_, shift));
  }
  return all;
}

}  // namespace tern::test
