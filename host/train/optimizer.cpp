#include "host/train/optimizer.hpp"

namespace tern {

Optimizer::Optimizer(Backend& backend, const std::vector<Parameter>& parameters,
                     const OptimizerOptions& options)
    : backend_(backend),
      parameters_(parameters),
      options_(options),
      count_(backend.make_counter()) {
  const auto like = [&](const Parameter& parameter) {
    return backend.allocate(parameter.value->rows(), parameter.value->cols());
  };
  if (options.kind == OptimizerKind::kAdam) {
    for (const Parameter& parameter : parameters) {
      adam_.push_back({like(parameter), like(parameter)});
    }
  } else {
    for (const Parameter& parameter : parameters) {
      sgd_.push_back({options.sgd.momentum != 0.0 ? like(parameter) : Matrix()});
    }
  }
}

void Optimizer::step() {
  backend_.increment(count_);
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Parameter& parameter = parameters_[i];
    if (options_.kind == OptimizerKind::kAdam) {
      backend_.adam(options_.adam, count_, *parameter.gradient, *parameter.value, adam_[i],
                    parameter.rows);
    } else {
      backend_.sgd(options_.sgd, count_, *parameter.gradient, *parameter.value, sgd_[i],
                   parameter.rows);
    }
  }
}

}  // namespace tern
