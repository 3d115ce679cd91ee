#include "host/train/optimizer.hpp"

namespace tern {

Optimizer::Optimizer(Backend& backend, const std::vector<Parameter>& parameters,
                     const OptimizerOptions& options)
    : backend_(backend),
      parameters_(parameters),
      options_(options),
      scaled_(options),
      count_(backend.make_counter()) {
  const auto like = [&](const Parameter& parameter) {
    return backend.allocate(parameter.value->rows(), parameter.value->cols());
  };
  for (const Parameter& parameter : parameters) {
    faults_.push_back(backend.make_counter());
    if (options.kind == OptimizerKind::kAdam) {
      adam_.push_back({like(parameter), like(parameter)});
    } else {
      sgd_.push_back({options.sgd.momentum != 0.0 ? like(parameter) : Matrix()});
    }
  }
}

void Optimizer::step() {
  backend_.increment(count_);
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Parameter& parameter = parameters_[i];
    if (options_.kind == OptimizerKind::kAdam) {
      backend_.adam(scaled_.adam, count_, *parameter.gradient, *parameter.value, adam_[i],
                    parameter.rows, &faults_[i]);
    } else {
      backend_.sgd(scaled_.sgd, count_, *parameter.gradient, *parameter.value, sgd_[i],
                   parameter.rows, &faults_[i]);
    }
  }
}

std::optional<Optimizer::Fault> Optimizer::first_fault() {
  std::optional<Fault> first;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const std::int64_t update = backend_.get(faults_[i]);
    if (update == 0 || (first && update > first->update)) continue;
    if (!first || update < first->update) first = Fault{update, {}};
    first->parameters.push_back(parameters_[i].name);
  }
  return first;
}

std::vector<NamedBuffer> Optimizer::buffers() {
  std::vector<NamedBuffer> all;
  const auto add = [&](const char* kind, const Parameter& parameter, Matrix& value) {
    if (!value.empty()) all.push_back({std::string("optimizer.") + kind + parameter.name, &value});
  };
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (options_.kind == OptimizerKind::kAdam) {
      add("first_moment.", parameters_[i], adam_[i].first_moment);
      add("second_moment.", parameters_[i], adam_[i].second_moment);
    } else {
      add("velocity.", parameters_[i], sgd_[i].velocity);
    }
  }
  return all;
}

void Optimizer::restore(std::int64_t updates, double learning_rate_scale) {
  backend_.set(count_, updates);
  for (Counter& fault : faults_) backend_.set(fault, 0);
  scaled_.adam.learning_rate = options_.adam.learning_rate * learning_rate_scale;
  scaled_.sgd.learning_rate = options_.sgd.learning_rate * learning_rate_scale;
}

}  // namespace tern
