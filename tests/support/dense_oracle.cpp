#include "tests/support/dense_oracle.hpp"

#include <fmt/format.h>

#include <cmath>

namespace tern::test {
namespace {

/// Values, and bounds of their rounding errors in units of epsilon.
struct Rounded {
  explicit Rounded(std::size_t size) : value(size), error(size) {}
  Values value;
  Values error;
};

/// Batch normalisation's quantities of each column.
struct Columns {
  explicit Columns(std::size_t cols) : mean(cols), variance(cols), inverse(cols) {}
  Rounded mean;
  Rounded variance;
  Rounded inverse;  // 1 / sqrt(variance + ε)
};

class Oracle {
 public:
  Oracle(const LayerShape& shape, const LayerValues& values, DenseMode mode, double epsilon,
         DenseTermGradients::Write add)
      : shape_(shape),
        values_(values),
        mode_(mode),
        epsilon_(epsilon),
        add_(add),
        rows_(static_cast<std::size_t>(shape.rows)),
        cols_(static_cast<std::size_t>(shape.cols)),
        n_(static_cast<double>(shape.rows)) {}

  std::map<std::string, Comparison> run() {
    Rounded inner = sum_of(shape_.inner, values_.inner);
    activate(inner);
    Rounded active = inner;
    if (!shape_.outer.empty()) {
      const Rounded outer = sum_of(shape_.outer, values_.outer);
      for (std::size_t i = 0; i < size(); ++i) {
        active.value[i] += outer.value[i];
        active.error[i] += outer.error[i];
      }
      activate(active);
    }
    const Columns columns = shape_.batch_norm ? measure(active) : Columns(cols_);
    const Rounded unit = shape_.batch_norm ? normalize(active, columns) : Rounded(0);
    keep_z(active, unit);
    if (mode_ == DenseMode::kTraining) {
      Rounded grad = shape_.batch_norm ? backward_norm(columns, unit) : grad_z();
      mask(grad, active);
      if (!shape_.outer.empty()) {
        keep_sum("outer", shape_.outer, values_.outer, grad);
        mask(grad, inner);
      }
      keep_sum("inner", shape_.inner, values_.inner, grad);
    }
    return std::move(expected_);
  }

 private:
  std::size_t size() const { return rows_ * cols_; }

  /// The error factor of a sum. The reference adds one by one, and many terms here are equal, so that
  /// their errors have one sign. In f64 the worst case n (Higham 2002, eq. 4.4) is strict enough.
  double factor(double terms) const {
    return summation_factor(terms) + (epsilon_ < 0x1p-50 ? terms : 0);
  }

  void keep(const std::string& name, Rounded rounded, std::int64_t cols) {
    expected_[name] = Comparison{.actual = {},
                                 .expected = std::move(rounded.value),
                                 .magnitude = std::move(rounded.error),
                                 .cols = cols};
  }

  Rounded sum_of(const SumShape& shape, const SumValues& sum) const {
    Rounded total(size());
    double terms = 0;
    for (std::size_t t = 0; t < shape.widths.size(); ++t) {
      const auto width = static_cast<std::size_t>(shape.widths[t]);
      terms += static_cast<double>(width);
      for (std::size_t r = 0; r < rows_; ++r) {
        for (std::size_t k = 0; k < width; ++k) {
          const double x = sum.inputs[t][r * width + k];
          for (std::size_t c = 0; c < cols_; ++c) {
            const double product = x * sum.weights[t][k * cols_ + c];
            total.value[r * cols_ + c] += product;
            total.error[r * cols_ + c] += std::abs(product);
          }
        }
      }
    }
    for (std::size_t i = 0; i < size(); ++i) {
      const double addend = shape.addend ? sum.addend[i] : 0;
      const double bias = shape.bias ? sum.bias[i % cols_] : 0;
      total.value[i] += addend + bias;
      total.error[i] = factor(terms) * (total.error[i] + std::abs(addend) + std::abs(bias));
    }
    return total;
  }

  void activate(Rounded& values) const {
    if (shape_.activation == Activation::kNone) return;
    for (std::size_t i = 0; i < size(); ++i) {
      if (values.value[i] <= 0) values.value[i] = values.error[i] = 0;
    }
  }

  void mask(Rounded& grad, const Rounded& activated) const {
    if (shape_.activation == Activation::kNone) return;
    for (std::size_t i = 0; i < size(); ++i) {
      if (activated.value[i] == 0) grad.value[i] = grad.error[i] = 0;
    }
  }

  Rounded grad_z() const {
    Rounded grad(size());
    grad.value = values_.grad_z;
    return grad;
  }

  /// Mean and variance of the batch, or the running ones; keeps the new running ones.
  Columns measure(const Rounded& active) {
    Columns columns(cols_);
    columns.mean.value = values_.running_mean;
    columns.variance.value = values_.running_variance;
    if (mode_ == DenseMode::kTraining) {
      for (std::size_t c = 0; c < cols_; ++c) measure_column(active, c, columns);
    }
    Rounded mean = columns.mean;
    Rounded variance = columns.variance;
    const double momentum = BatchNorm().momentum;
    for (std::size_t c = 0; c < cols_; ++c) {
      const double root = 1 / std::sqrt(columns.variance.value[c] + BatchNorm().epsilon);
      columns.inverse.value[c] = root;
      columns.inverse.error[c] = 3 * root + root * root * root * columns.variance.error[c] / 2;
      if (mode_ == DenseMode::kEvaluation) continue;
      const auto update = [&](double& value, double& error, double running) {
        const double magnitude = std::abs(value) + std::abs(running);
        value = (1 - momentum) * running + momentum * value;
        error = momentum * error + 4 * magnitude;
      };
      variance.value[c] *= n_ / (n_ - 1);
      variance.error[c] *= n_ / (n_ - 1);
      update(mean.value[c], mean.error[c], values_.running_mean[c]);
      update(variance.value[c], variance.error[c], values_.running_variance[c]);
    }
    keep("running_mean", std::move(mean), shape_.cols);
    keep("running_variance", std::move(variance), shape_.cols);
    return columns;
  }

  void measure_column(const Rounded& active, std::size_t c, Columns& columns) const {
    long double sum = 0;  // more digits than any backend's sum
    double error = 0;
    double magnitude = 0;
    for (std::size_t r = 0; r < rows_; ++r) {
      sum += active.value[r * cols_ + c];
      error += active.error[r * cols_ + c] / n_;
      magnitude += std::abs(active.value[r * cols_ + c]) / n_;
    }
    error += factor(n_) * magnitude;
    const double mean = static_cast<double>(sum / n_);
    long double squares = 0;
    double variance_error = 0;
    for (std::size_t r = 0; r < rows_; ++r) {
      const double a = active.value[r * cols_ + c];
      const double off = active.error[r * cols_ + c] + error + std::abs(a) + std::abs(mean);
      squares += (a - mean) * (a - mean);
      variance_error += (2 * std::abs(a - mean) * off + epsilon_ * off * off) / n_;
    }
    const double variance = static_cast<double>(squares / n_);
    columns.mean.value[c] = mean;
    columns.mean.error[c] = error;
    columns.variance.value[c] = variance;
    columns.variance.error[c] = variance_error + factor(n_) * variance;
  }

  Rounded normalize(const Rounded& active, const Columns& columns) const {
    Rounded unit(size());
    for (std::size_t i = 0; i < size(); ++i) {
      const std::size_t c = i % cols_;
      const double mean = columns.mean.value[c];
      const double inverse = columns.inverse.value[c];
      const double deviation = active.value[i] - mean;
      const double off =
          active.error[i] + columns.mean.error[c] + std::abs(active.value[i]) + std::abs(mean);
      unit.value[i] = deviation * inverse;
      unit.error[i] = off * inverse + std::abs(deviation) * columns.inverse.error[c];
    }
    return unit;
  }

  void keep_z(const Rounded& active, const Rounded& unit) {
    Rounded z = active;
    for (std::size_t i = 0; i < unit.value.size(); ++i) {
      const double scale = values_.scale[i % cols_];
      const double shift = values_.shift[i % cols_];
      z.value[i] = scale * unit.value[i] + shift;
      z.error[i] =
          std::abs(scale) * unit.error[i] + 3 * (std::abs(scale * unit.value[i]) + std::abs(shift));
    }
    keep("z", std::move(z), shape_.cols);
  }

  /// ∂a, before ReLU's mask; keeps the gradients of scale and shift.
  Rounded backward_norm(const Columns& columns, const Rounded& unit) {
    Rounded of_scale(cols_);
    Rounded of_shift(cols_);
    for (std::size_t i = 0; i < size(); ++i) {
      const double g = values_.grad_z[i];
      const std::size_t c = i % cols_;
      of_scale.value[c] += g * unit.value[i];
      of_scale.error[c] += std::abs(g) * unit.error[i] + factor(n_) * std::abs(g * unit.value[i]);
      of_shift.value[c] += g;
      of_shift.error[c] += factor(n_) * std::abs(g);
    }
    Rounded grad(size());
    for (std::size_t i = 0; i < size(); ++i) {
      const std::size_t c = i % cols_;
      const double factor = values_.scale[c] * columns.inverse.value[c];
      const double factor_error =
          std::abs(values_.scale[c]) * columns.inverse.error[c] + 2 * std::abs(factor);
      const double g = values_.grad_z[i];
      const double of_mean = of_shift.value[c] / n_;
      const double of_deviation = unit.value[i] * of_scale.value[c] / n_;
      const double inside = g - of_mean - of_deviation;
      const double inside_error = (of_shift.error[c] + unit.error[i] * std::abs(of_scale.value[c]) +
                                   std::abs(unit.value[i]) * of_scale.error[c]) /
                                      n_ +
                                  4 * (std::abs(g) + std::abs(of_mean) + std::abs(of_deviation));
      grad.value[i] = factor * inside;
      grad.error[i] = std::abs(factor) * inside_error + factor_error * std::abs(inside);
    }
    keep("gradient of scale", std::move(of_scale), shape_.cols);
    keep("gradient of shift", std::move(of_shift), shape_.cols);
    return grad;
  }

  void keep_sum(const std::string& name, const SumShape& shape, const SumValues& sum,
                const Rounded& grad) {
    const std::string of = " of the " + name + " sum";
    for (std::size_t t = 0; t < shape.widths.size(); ++t) {
      const std::string term = fmt::format(" {}{}", t, of);
      const bool adds = t == 0 && add_ == DenseTermGradients::Write::kAdd;
      keep_term(term, static_cast<std::size_t>(shape.widths[t]), sum.inputs[t], sum.weights[t],
                grad, adds);
    }
    if (shape.addend) keep("gradient of addend" + of, grad, shape_.cols);
    if (!shape.bias) return;
    Rounded of_bias(cols_);
    for (std::size_t i = 0; i < size(); ++i) {
      of_bias.value[i % cols_] += grad.value[i];
      of_bias.error[i % cols_] += grad.error[i] + factor(n_) * std::abs(grad.value[i]);
    }
    keep("gradient of bias" + of, std::move(of_bias), shape_.cols);
  }

  void keep_term(const std::string& term, std::size_t width, const Values& input,
                 const Values& weight, const Rounded& grad, bool adds) {
    Rounded of_weight(width * cols_);
    Rounded of_input(rows_ * width);
    const double start = adds ? LoadedLayer::kStart : 0;
    const double over_rows = factor(n_);
    const double over_cols = factor(static_cast<double>(cols_));
    for (std::size_t r = 0; r < rows_; ++r) {
      for (std::size_t k = 0; k < width; ++k) {
        const double x = input[r * width + k];
        double total = start;
        double error = over_cols * start;
        for (std::size_t c = 0; c < cols_; ++c) {
          const double g = grad.value[r * cols_ + c];
          const double off = grad.error[r * cols_ + c];
          const double w = weight[k * cols_ + c];
          of_weight.value[k * cols_ + c] += x * g;
          of_weight.error[k * cols_ + c] += std::abs(x) * (off + over_rows * std::abs(g));
          total += g * w;
          error += std::abs(w) * (off + over_cols * std::abs(g));
        }
        of_input.value[r * width + k] = total;
        of_input.error[r * width + k] = error;
      }
    }
    keep("gradient of weight" + term, std::move(of_weight), shape_.cols);
    keep("gradient of input" + term, std::move(of_input), static_cast<std::int64_t>(width));
  }

  const LayerShape& shape_;
  const LayerValues& values_;
  DenseMode mode_;
  double epsilon_;
  DenseTermGradients::Write add_;
  std::size_t rows_;
  std::size_t cols_;
  double n_;
  std::map<std::string, Comparison> expected_;
};

}  // namespace

std::map<std::string, Comparison> expect_layer(const LayerShape& shape, const LayerValues& values,
                                               DenseMode mode, double epsilon,
                                               DenseTermGradients::Write add) {
  return Oracle(shape, values, mode, epsilon, add).run();
}

testing::AssertionResult matches(const std::map<std::string, Values>& outputs,
                                 std::map<std::string, Comparison> expected, double epsilon) {
  for (auto& [name, comparison] : expected) {
    const auto found = outputs.find(name);
    if (found == outputs.end()) return testing::AssertionFailure() << "no " << name;
    comparison.actual = found->second;
    const testing::AssertionResult within = within_bound(comparison, 1, epsilon);
    if (!within) return testing::AssertionFailure() << name << ": " << within.message();
  }
  return testing::AssertionSuccess();
}

}  // namespace tern::test
