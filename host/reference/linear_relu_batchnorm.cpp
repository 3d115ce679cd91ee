#include <cmath>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "host/backend/checks.hpp"
#include "host/reference/backend.hpp"

// z = BN(f(f(inner) + outer)), forward and backward, element by element.

namespace tern::reference {
namespace {

constexpr const char* kOp = "linear_relu_batchnorm";
using Table = MatrixView<double>;

/// Σ input · weight + addend + bias, element by element.
class Sum {
 public:
  explicit Sum(const DenseSum& sum) {
    for (const auto& [input, weight] : sum.terms) {
      terms_.emplace_back(view(std::as_const(*input), kOp, "input"),
                          view(std::as_const(*weight), kOp, "weight"));
    }
    if (sum.addend != nullptr) addend_ = view(std::as_const(*sum.addend), kOp, "addend");
    if (sum.bias != nullptr) bias_ = view(std::as_const(*sum.bias), kOp, "bias");
  }

  double operator()(std::int64_t row, std::int64_t col) const {
    double value = 0;
    for (const auto& [x, w] : terms_) {
      for (std::int64_t k = 0; k < x.cols; ++k) value += x(row, k) * w(k, col);
    }
    if (addend_.has_value()) value += (*addend_)(row, col);
    if (bias_.has_value()) value += (*bias_)(0, col);
    return value;
  }

 private:
  using ConstTable = MatrixView<const double>;
  std::vector<std::pair<ConstTable, ConstTable>> terms_;
  std::optional<ConstTable> addend_;
  std::optional<ConstTable> bias_;
};

double activate(Activation activation, double value) {
  return activation == Activation::kRelu && value <= 0 ? 0.0 : value;
}

bool passes(Activation activation, double activated) {
  return activation == Activation::kNone || !(activated <= 0);
}

/// Computes mean and population variance of the columns of a, and updates the running statistics.
void measure(const BatchNorm& norm, const DenseStateStorage& state, std::vector<double>& mean,
             std::vector<double>& variance) {
  const std::int64_t cols = state.cols;
  const std::int64_t rows = state.rows;
  const auto n = static_cast<double>(rows);
  const auto running_mean = view(*norm.running_mean, kOp, "running_mean");
  const auto running_variance = view(*norm.running_variance, kOp, "running_variance");
  for (std::int64_t c = 0; c < cols; ++c) {
    // The second round sums deviations from the first mean: this restores digits that a sum far
    // from 0 loses.
    mean[c] = variance[c] = 0;
    for (int time = 0; time < 2; ++time) {
      double sum = 0;
      for (std::int64_t r = 0; r < rows; ++r) sum += state.active[r * cols + c] - mean[c];
      mean[c] += sum / n;
    }
    for (std::int64_t r = 0; r < rows; ++r) {
      const double deviation = state.active[r * cols + c] - mean[c];
      variance[c] += deviation * deviation;
    }
    variance[c] /= n;
    running_mean(0, c) += norm.momentum * (mean[c] - running_mean(0, c));
    running_variance(0, c) += norm.momentum * (variance[c] * n / (n - 1) - running_variance(0, c));
  }
}

/// The gradients of a sum's parts from the gradient of the sum.
void differentiate(const DenseSum& sum, const DenseSumGradients& gradients, Table grad) {
  for (std::size_t t = 0; t < gradients.terms.size(); ++t) {
    const auto x = view(std::as_const(*sum.terms[t].input), kOp, "input");
    const auto w = view(std::as_const(*sum.terms[t].weight), kOp, "weight");
    const DenseTermGradients& of = gradients.terms[t];
    if (of.weight != nullptr) {
      const auto out = view(*of.weight, kOp, "gradient");
      for (std::int64_t k = 0; k < x.cols; ++k) {
        for (std::int64_t c = 0; c < grad.cols; ++c) out(k, c) = 0;
      }
      for (std::int64_t r = 0; r < grad.rows; ++r) {
        for (std::int64_t k = 0; k < x.cols; ++k) {
          for (std::int64_t c = 0; c < grad.cols; ++c) out(k, c) += x(r, k) * grad(r, c);
        }
      }
    }
    if (of.input != nullptr) {
      const auto out = view(*of.input, kOp, "gradient");
      for (std::int64_t r = 0; r < grad.rows; ++r) {
        for (std::int64_t k = 0; k < x.cols; ++k) {
          if (of.input_write == DenseTermGradients::Write::kOverwrite) out(r, k) = 0;
          for (std::int64_t c = 0; c < grad.cols; ++c) out(r, k) += grad(r, c) * w(k, c);
        }
      }
    }
  }
  for (std::int64_t c = 0; c < grad.cols; ++c) {
    double total = 0;
    for (std::int64_t r = 0; r < grad.rows; ++r) {
      if (gradients.addend != nullptr) view(*gradients.addend, kOp, "gradient")(r, c) = grad(r, c);
      total += grad(r, c);
    }
    if (gradients.bias != nullptr) view(*gradients.bias, kOp, "gradient")(0, c) = total;
  }
}

}  // namespace

DenseState ReferenceBackend::make_dense_state(std::int64_t rows, std::int64_t cols) {
  expect_not_recording("make_dense_state");
  check_make_dense_state(rows, cols);
  const std::int64_t size = check_allocate(rows, cols, sizeof(double));
  auto storage = std::make_unique<DenseStateStorage>();
  storage->rows = rows;
  storage->cols = cols;
  reserve_memory("make_dense_state", 2.0 * static_cast<double>(size) * sizeof(double), [&] {
    storage->inner.assign(static_cast<std::size_t>(size), 0.0);
    storage->active.assign(static_cast<std::size_t>(size), 0.0);
  });
  storage->mean.assign(static_cast<std::size_t>(cols), 0.0);
  storage->variance.assign(static_cast<std::size_t>(cols), 0.0);
  return {std::move(storage), rows, cols};
}

void ReferenceBackend::linear_relu_batchnorm(const DenseLayer& layer, DenseMode mode,
                                             DenseState& state, Matrix& z) {
  check_linear_relu_batchnorm(layer, mode, state, z);
  auto& saved = storage_of<DenseStateStorage>(state, kOp, "state");
  const Table out = view(z, kOp, "z");
  const Sum inner(layer.inner);
  const Sum outer(layer.outer);
  for (std::int64_t r = 0; r < out.rows; ++r) {
    for (std::int64_t c = 0; c < out.cols; ++c) {
      const std::int64_t at = r * out.cols + c;
      double value = activate(layer.activation, inner(r, c));
      saved.inner[at] = value;
      if (!layer.outer.empty()) value = activate(layer.activation, value + outer(r, c));
      saved.active[at] = value;
    }
  }
  if (layer.batch_norm.has_value()) {
    const BatchNorm& norm = *layer.batch_norm;
    if (mode == DenseMode::kTraining) {
      measure(norm, saved, saved.mean, saved.variance);
    } else {
      for (std::int64_t c = 0; c < out.cols; ++c) {
        saved.mean[c] = view(*norm.running_mean, kOp, "running_mean")(0, c);
        saved.variance[c] = view(*norm.running_variance, kOp, "running_variance")(0, c);
      }
    }
  }
  for (std::int64_t r = 0; r < out.rows; ++r) {
    for (std::int64_t c = 0; c < out.cols; ++c) {
      double value = saved.active[r * out.cols + c];
      if (layer.batch_norm.has_value()) {
        const BatchNorm& norm = *layer.batch_norm;
        value = (value - saved.mean[c]) / std::sqrt(saved.variance[c] + norm.epsilon);
        value = view(std::as_const(*norm.scale), kOp, "scale")(0, c) * value +
                view(std::as_const(*norm.shift), kOp, "shift")(0, c);
      }
      out(r, c) = value;
    }
  }
}

void ReferenceBackend::linear_relu_batchnorm_backward(const DenseLayer& layer, DenseState& state,
                                                      const Matrix& grad_z,
                                                      const DenseGradients& gradients) {
  check_linear_relu_batchnorm_backward(layer, state, grad_z, gradients);
  const auto& saved = storage_of<DenseStateStorage>(state, kOp, "state");
  const auto in = view(grad_z, kOp, "grad_z");
  const auto n = static_cast<double>(in.rows);
  std::vector<double> grad_active(static_cast<std::size_t>(in.rows * in.cols));
  for (std::int64_t c = 0; c < in.cols; ++c) {
    double scale = 1;
    double of_scale = 0;
    double of_shift = 0;
    const auto unit = [&](std::int64_t r) {
      return (saved.active[r * in.cols + c] - saved.mean[c]) /
             std::sqrt(saved.variance[c] + layer.batch_norm->epsilon);
    };
    if (layer.batch_norm.has_value()) {
      for (std::int64_t r = 0; r < in.rows; ++r) {
        of_scale += in(r, c) * unit(r);
        of_shift += in(r, c);
      }
      scale = view(std::as_const(*layer.batch_norm->scale), kOp, "scale")(0, c) /
              std::sqrt(saved.variance[c] + layer.batch_norm->epsilon);
    }
    for (std::int64_t r = 0; r < in.rows; ++r) {
      double grad = in(r, c);
      if (layer.batch_norm.has_value()) grad -= of_shift / n + unit(r) * of_scale / n;
      grad_active[r * in.cols + c] = scale * grad;
    }
    if (gradients.scale != nullptr) view(*gradients.scale, kOp, "gradient")(0, c) = of_scale;
    if (gradients.shift != nullptr) view(*gradients.shift, kOp, "gradient")(0, c) = of_shift;
  }
  for (std::size_t at = 0; at < grad_active.size(); ++at) {
    if (!passes(layer.activation, saved.active[at])) grad_active[at] = 0;
  }
  const Table grad{grad_active.data(), in.rows, in.cols, in.cols};
  if (!layer.outer.empty()) {
    differentiate(layer.outer, gradients.outer, grad);
    for (std::size_t at = 0; at < grad_active.size(); ++at) {
      if (!passes(layer.activation, saved.inner[at])) grad_active[at] = 0;
    }
  }
  differentiate(layer.inner, gradients.inner, grad);
}

}  // namespace tern::reference
