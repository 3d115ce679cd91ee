#pragma once

#include <vector>

#include "tern/backend.hpp"
#include "tern/config.hpp"
#include "tern/model.hpp"

namespace tern {

/// Adam or SGD over all parameters of a model, with their state. Where a parameter's gradient is
/// confined to some rows, only these rows and their moments are read and written.
class Optimizer {
 public:
  /// The parameters must outlive the optimiser.
  Optimizer(Backend& backend, const std::vector<Parameter>& parameters,
            const OptimizerOptions& options);

  /// One update of every parameter from its gradient. A step op. Throws ConfigError on options out
  /// of range.
  void step();

 private:
  Backend& backend_;
  const std::vector<Parameter>& parameters_;
  OptimizerOptions options_;
  Counter count_;  // steps begun; Adam's t
  std::vector<AdamState> adam_;
  std::vector<SgdState> sgd_;
};

}  // namespace tern
