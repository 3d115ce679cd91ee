#include "bench/ops/dense_tables.hpp"

#include "tern/random.hpp"

namespace tern::bench {
namespace {

/// Integers of [-most, most], divided by 8.
std::vector<float> eighths(std::int64_t size, std::uint64_t salt, std::uint32_t most) {
  std::vector<float> values(static_cast<std::size_t>(size));
  RandomStream stream(Seed{1}, Purpose::kGenerate, 0, salt);
  for (float& value : values) {
    value = (static_cast<float>(stream.below(2 * most + 1)) - static_cast<float>(most)) / 8;
  }
  return values;
}

/// Uniform over [-1, 1]. Of few distinct values, rounding errors would not cancel but add up.
std::vector<float> uniform(std::int64_t size, std::uint64_t salt) {
  std::vector<float> values(static_cast<std::size_t>(size));
  RandomStream stream(Seed{1}, Purpose::kGenerate, 0, salt);
  for (float& value : values) value = static_cast<float>(2 * stream.uniform() - 1);
  return values;
}

Matrix upload(Backend& backend, std::int64_t rows, std::int64_t cols,
              const std::vector<float>& values) {
  Matrix matrix = backend.allocate(rows, cols);
  backend.upload(values, matrix);
  return matrix;
}

}  // namespace

DenseValues::DenseValues(std::int64_t num_rows, std::int64_t num_cols)
    : rows(num_rows),
      cols(num_cols),
      x(eighths(rows * cols, 1, 8)),
      h(eighths(rows * cols, 2, 8)),
      grad_z(uniform(rows * cols, 3)),
      w1(eighths(cols * cols, 4, 8)),
      w3(eighths(cols * cols, 5, 8)),
      b1(eighths(cols, 6, 16)),
      b3(eighths(cols, 7, 16)),
      scale(eighths(cols, 8, 12)),
      shift(eighths(cols, 9, 8)) {}

DenseTables::DenseTables(Backend& backend, const DenseValues& v)
    : x(upload(backend, v.rows, v.cols, v.x)),
      h(upload(backend, v.rows, v.cols, v.h)),
      grad_z(upload(backend, v.rows, v.cols, v.grad_z)),
      w1(upload(backend, v.cols, v.cols, v.w1)),
      w3(upload(backend, v.cols, v.cols, v.w3)),
      b1(upload(backend, 1, v.cols, v.b1)),
      b3(upload(backend, 1, v.cols, v.b3)),
      scale(upload(backend, 1, v.cols, v.scale)),
      shift(upload(backend, 1, v.cols, v.shift)),
      running_mean(backend.allocate(1, v.cols)),
      running_variance(backend.allocate(1, v.cols)),
      z(backend.allocate(v.rows, v.cols)),
      state(backend.make_dense_state(v.rows, v.cols)),
      grad_x(backend.allocate(v.rows, v.cols)),
      grad_h(backend.allocate(v.rows, v.cols)),
      grad_w1(backend.allocate(v.cols, v.cols)),
      grad_w3(backend.allocate(v.cols, v.cols)),
      grad_b1(backend.allocate(1, v.cols)),
      grad_b3(backend.allocate(1, v.cols)),
      grad_scale(backend.allocate(1, v.cols)),
      grad_shift(backend.allocate(1, v.cols)) {}

DenseLayer DenseTables::layer() {
  DenseLayer layer;
  layer.inner = {.terms = {{&x, &w1}}, .addend = nullptr, .bias = &b1};
  layer.outer = {.terms = {{&h, &w3}}, .addend = nullptr, .bias = &b3};
  layer.batch_norm = BatchNorm{.scale = &scale,
                               .shift = &shift,
                               .running_mean = &running_mean,
                               .running_variance = &running_variance};
  return layer;
}

DenseGradients DenseTables::gradients() {
  DenseGradients gradients;
  gradients.inner = {
      .terms = {{.input = &grad_x, .weight = &grad_w1}}, .addend = nullptr, .bias = &grad_b1};
  gradients.outer = {
      .terms = {{.input = &grad_h, .weight = &grad_w3}}, .addend = nullptr, .bias = &grad_b3};
  gradients.scale = &grad_scale;
  gradients.shift = &grad_shift;
  return gradients;
}

void DenseTables::forward(Backend& backend) {
  backend.linear_relu_batchnorm(layer(), DenseMode::kTraining, state, z);
}

void DenseTables::backward(Backend& backend) {
  backend.linear_relu_batchnorm_backward(layer(), state, grad_z, gradients());
}

}  // namespace tern::bench
