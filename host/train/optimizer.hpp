#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tern/backend.hpp"
#include "tern/config.hpp"
#include "tern/model.hpp"

namespace tern {

/// Adam or SGD over all parameters of a model, with their moments: the bits of a dense update of
/// every row in every step. If a parameter's gradient is confined to some rows, a step of Adam reads
/// and writes these rows alone; the others make it later, before somebody reads them:
///
///     catch_up();  forward, loss, backward;  step();    and so on, and in the end    settle();
class Optimizer {
 public:
  /// The parameters must outlive the optimiser.
  Optimizer(Backend& backend, const std::vector<Parameter>& parameters,
            const OptimizerOptions& options);

  /// Begins a step, before anything reads the parameters: the rows of its gradients make the updates
  /// that they have missed. A step op.
  void catch_up();
  /// One update of every parameter from its gradient. A step op. Throws ConfigError on options out
  /// of range.
  void step();
  /// All rows make the updates that they have missed. Call it before anything but a step reads parameters
  /// or buffers, and before the learning rate changes.
  void settle();

  /// The first update whose result was not finite, and the parameters that it made so.
  struct Fault {
    std::int64_t update = 0;  // from 1
    std::vector<std::string> parameters;
  };
  /// The first fault among the updates made so far; those that rows have missed are not among them before
  /// settle(). Waits for submitted work.
  std::optional<Fault> first_fault();

  /// The moments by name, "optimizer.first_moment.user_embedding"; zeros at the start.
  std::vector<NamedBuffer> buffers();
  /// Updates begun; Adam's t.
  std::int64_t updates() { return backend_.get(count_); }

  /// Continues after this number of updates, without faults; the caller sets the buffers, or has
  /// settled them. The learning rate becomes that of the options times this scale; recorded steps
  /// keep the old one.
  void restore(std::int64_t updates, double learning_rate_scale);

 private:
  bool moves_every_row() const;

  Backend& backend_;
  const std::vector<Parameter>& parameters_;
  OptimizerOptions options_;
  OptimizerOptions scaled_;
  Counter count_;
  std::vector<Counter> faults_;  // by parameter: its first faulty update; 0: none
  std::vector<AdamState> adam_;
  std::vector<SgdState> sgd_;
};

}  // namespace tern
