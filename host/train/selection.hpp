#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tern/backend.hpp"
#include "tern/config.hpp"
#include "tern/dataset.hpp"
#include "tern/evaluation.hpp"
#include "tern/model.hpp"

namespace tern {

/// Chooses the best epoch: holds the split, the items left out when ranking for it (training items,
/// and for the test split validation items), and the best value so far.
class Selection {
 public:
  /// data and train must outlive the object. Throws ConfigError if a k is out of range or the
  /// metric is not among those evaluated.
  Selection(Backend& backend, const Dataset& data, const Graph& train, const Config& config);

  /// Whether the split has interactions, so that an epoch can be selected.
  bool possible() const noexcept { return held_out_->size() > 0; }

  /// Metrics of the final embeddings that embed() computed. Throws Interrupted once should_stop
  /// returns true.
  Metrics evaluate(const Model& model, const std::function<bool()>& should_stop = {}) const;
  /// Records the metrics of one epoch, and returns whether it is the best so far.
  bool improves(const Metrics& metrics);

  const std::optional<double>& best() const noexcept { return best_; }
  /// Evaluations recorded since the best one.
  int since_best() const noexcept { return since_best_; }
  /// Sets both values, as saved in a state.
  void restore(std::optional<double> best, int since_best) {
    best_ = best;
    since_best_ = since_best;
  }

 private:
  Backend& backend_;
  const Interactions* held_out_;
  const Graph& train_;
  Graph valid_;  // only if the test split is ranked
  EvaluationOptions options_;
  std::string metric_;
  std::optional<double> best_;
  int since_best_ = 0;
};

}  // namespace tern
