#include "host/gradcheck/dense_problem.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <numeric>

#include "host/gradcheck/report.hpp"

namespace tern::gradcheck_detail {
namespace {

constexpr double kMargin = 0.1;
constexpr std::size_t kInnerTerms = 2;
constexpr std::size_t kOuterTerms = 1;

}  // namespace

/// The layer on a backend. value() and gradient() find a block by name; an absent one is null.
class DenseProblem::Layer {
 public:
  Layer(const DenseProblem& problem, Backend& backend) : problem_(problem), backend_(backend) {
    for (const Block& block : problem.blocks_) {
      values_.push_back(upload(backend, block.rows, block.values));
      gradients_.push_back(backend.allocate(block.rows, values_.back().cols()));
    }
    mean_ = backend.allocate(1, problem.width_);
    variance_ = backend.allocate(1, problem.width_);
    backend.fill(variance_, 1.0);
    layer_.activation = problem.form_ == Form::kLinear ? Activation::kNone : Activation::kRelu;
    connect("inner", layer_.inner, gradient_.inner);
    connect("outer", layer_.outer, gradient_.outer);
    if (value("scale") != nullptr) {
      layer_.batch_norm = BatchNorm{.scale = value("scale"),
                                    .shift = value("shift"),
                                    .running_mean = &mean_,
                                    .running_variance = &variance_};
      gradient_.scale = gradient("scale");
      gradient_.shift = gradient("shift");
    }
    state_ = backend.make_dense_state(problem.rows_, problem.width_);
    z_ = backend.allocate(problem.rows_, problem.width_);
  }

  Values forward(DenseMode mode) {
    backend_.linear_relu_batchnorm(layer_, mode, state_, z_);
    return download(backend_, z_);
  }

  std::vector<Values> backward() {
    const Matrix grad_z = upload(backend_, problem_.rows_, problem_.direction_);
    backend_.linear_relu_batchnorm_backward(layer_, state_, grad_z, gradient_);
    std::vector<Values> all;
    for (const Matrix& of : gradients_) all.push_back(download(backend_, of));
    return all;
  }

  Values statistics() {
    Values all = download(backend_, mean_);
    const Values variance = download(backend_, variance_);
    all.insert(all.end(), variance.begin(), variance.end());
    return all;
  }

 private:
  Matrix* at(std::deque<Matrix>& matrices, const std::string& name) {
    const std::size_t block = problem_.find(name);
    return block == matrices.size() ? nullptr : &matrices[block];
  }
  Matrix* value(const std::string& name) { return at(values_, name); }
  Matrix* gradient(const std::string& name) { return at(gradients_, name); }

  void connect(const std::string& name, DenseSum& sum, DenseSumGradients& gradients) {
    for (std::size_t t = 0; t < kInnerTerms; ++t) {
      const std::string input = fmt::format("{} input {}", name, t);
      const std::string weight = fmt::format("{} weight {}", name, t);
      if (value(input) == nullptr) break;
      sum.terms.push_back({value(input), value(weight)});
      gradients.terms.push_back({.input = gradient(input), .weight = gradient(weight)});
    }
    sum.addend = value(name + " addend");
    sum.bias = value(name + " bias");
    gradients.addend = gradient(name + " addend");
    gradients.bias = gradient(name + " bias");
  }

  const DenseProblem& problem_;
  Backend& backend_;
  std::deque<Matrix> values_;
  std::deque<Matrix> gradients_;
  Matrix mean_;
  Matrix variance_;
  DenseLayer layer_;
  DenseGradients gradient_;
  DenseState state_;
  Matrix z_;
};

DenseProblem::DenseProblem(const GradcheckOptions& options, Form form, Seed seed)
    : form_(form),
      rows_(options.users),
      width_(options.width),
      random_(seed.value + 5),
      direction_(random_values(rows_ * width_, random_)) {
  add_sum("inner", {width_, 3});
  if (form != Form::kWithoutOuter) add_sum("outer", {width_});
  if (form == Form::kWhole || form == Form::kWithoutOuter) {
    add("scale", 1, width_);
    add("shift", 1, width_);
  }
  if (form != Form::kLinear) avoid_kinks();
}

void DenseProblem::add(std::string name, std::int64_t rows, std::int64_t cols) {
  blocks_.push_back({std::move(name), rows, random_values(rows * cols, random_)});
}

/// The index of a block; the number of blocks if none has this name.
std::size_t DenseProblem::find(std::string_view name) const {
  const auto found = std::find_if(blocks_.begin(), blocks_.end(),
                                  [&](const Block& block) { return block.name == name; });
  return static_cast<std::size_t>(found - blocks_.begin());
}

void DenseProblem::add_sum(const std::string& sum, const std::vector<std::int64_t>& widths) {
  for (std::size_t t = 0; t < widths.size(); ++t) {
    add(fmt::format("{} input {}", sum, t), rows_, widths[t]);
    add(fmt::format("{} weight {}", sum, t), widths[t], width_);
  }
  add(sum + " addend", rows_, width_);
  add(sum + " bias", 1, width_);
}

Values DenseProblem::evaluate_sum(const std::string& sum, std::size_t terms) const {
  Values result = values(sum + " addend");
  const Values& bias = values(sum + " bias");
  for (std::size_t i = 0; i < result.size(); ++i) {
    const std::size_t row = i / static_cast<std::size_t>(width_);
    const std::size_t col = i % static_cast<std::size_t>(width_);
    result[i] += bias[col];
    for (std::size_t t = 0; t < terms; ++t) {
      const Values& input = values(fmt::format("{} input {}", sum, t));
      const Values& weight = values(fmt::format("{} weight {}", sum, t));
      const std::size_t inner = input.size() / static_cast<std::size_t>(rows_);
      for (std::size_t k = 0; k < inner; ++k) {
        result[i] += input[row * inner + k] * weight[k * static_cast<std::size_t>(width_) + col];
      }
    }
  }
  return result;
}

void DenseProblem::avoid_kinks() {
  // The result is rounded to f32, like all inputs.
  const auto move = [](double& addend, double sum) {
    if (std::abs(sum) >= kMargin) return 0.0;
    const double before = addend;
    addend = static_cast<float>(addend + std::copysign(2.0 * kMargin, sum));
    return addend - before;
  };
  Values inner = evaluate_sum("inner", kInnerTerms);
  Values& inner_addend = blocks_[find("inner addend")].values;
  for (std::size_t i = 0; i < inner.size(); ++i) inner[i] += move(inner_addend[i], inner[i]);
  if (find("outer addend") == blocks_.size()) return;
  const Values outer = evaluate_sum("outer", kOuterTerms);
  Values& outer_addend = blocks_[find("outer addend")].values;
  for (std::size_t i = 0; i < outer.size(); ++i) {
    move(outer_addend[i], std::max(inner[i], 0.0) + outer[i]);
  }
}

double DenseProblem::Answer::largest_gradient() const {
  double most = 0.0;
  for (const Values& gradient : gradients) most = std::max(most, largest(gradient));
  return most;
}

DenseProblem::Answer DenseProblem::answer(Backend& backend) const {
  Layer layer(*this, backend);
  Answer answer;
  answer.z = layer.forward(DenseMode::kTraining);
  answer.value = std::inner_product(direction_.begin(), direction_.end(), answer.z.begin(), 0.0);
  answer.gradients = layer.backward();
  answer.statistics = layer.statistics();
  answer.evaluated = layer.forward(DenseMode::kEvaluation);
  return answer;
}

double DenseProblem::value(Backend& backend, std::size_t block, const Values& values) const {
  DenseProblem moved = *this;
  moved.blocks_[block].values = values;
  const Values z = Layer(moved, backend).forward(DenseMode::kTraining);
  return std::inner_product(direction_.begin(), direction_.end(), z.begin(), 0.0);
}

}  // namespace tern::gradcheck_detail
