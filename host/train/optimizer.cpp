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
      if (parameter.rows != nullptr) {
        adam_.back().row_steps = backend.make_row_steps(parameter.value->rows());
      }
    } else {
      sgd_.push_back({options.sgd.momentum != 0.0 ? like(parameter) : Matrix()});
    }
  }
}

/// Whether sgd moves rows without gradient too: by their velocity, or by weight decay. Then every step
/// covers every row.
bool Optimizer::moves_every_row() const {
  return options_.kind == OptimizerKind::kSgd &&
         (options_.sgd.momentum != 0.0 || options_.sgd.weight_decay != 0.0);
}

void Optimizer::catch_up() {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Parameter& parameter = parameters_[i];
    if (parameter.rows == nullptr) continue;
    if (options_.kind == OptimizerKind::kAdam) {
      backend_.adam_catch_up(scaled_.adam, count_, *parameter.value, adam_[i], parameter.rows,
                             &faults_[i]);
    } else if (moves_every_row()) {
      backend_.fill(*parameter.gradient, 0.0);  // the step fills the rows of its batch alone
    }
  }
}

void Optimizer::settle() {
  if (options_.kind != OptimizerKind::kAdam) return;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (parameters_[i].rows == nullptr) continue;
    backend_.adam_catch_up(scaled_.adam, count_, *parameters_[i].value, adam_[i], nullptr,
                           &faults_[i]);
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
                   moves_every_row() ? nullptr : parameter.rows, &faults_[i]);
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
  for (AdamState& state : adam_) {
    if (!state.row_steps.empty()) backend_.set(state.row_steps, updates);
  }
  scaled_.adam.learning_rate = options_.adam.learning_rate * learning_rate_scale;
  scaled_.sgd.learning_rate = options_.sgd.learning_rate * learning_rate_scale;
}

}  // namespace tern
