#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tern/backend.hpp"
#include "tern/config.hpp"
#include "tern/dataset.hpp"
#include "tern/evaluation.hpp"
#include "tern/trainer.hpp"

namespace tern {

/// A training of a few steps: its state, and the metrics of the selection split after the last step
/// (none if the split has no interactions).
struct ShortTraining {
  TrainingState state;
  Metrics metrics;
};

/// Trains from the start for this many steps, across epochs if need be. The monitors' limits do not
/// apply. A model without training is fitted as a whole, on the host. Throws as Trainer and fit_model()
/// do.
ShortTraining train_briefly(Backend& backend, const Dataset& data, const Config& config,
                            std::int64_t steps);

/// The first difference in bits: "optimizer.first_moment.user_embedding differs in
/// 12 of 4096 elements, the first at 17: 0.1 and 0.2"; nothing if they are equal.
std::optional<std::string> find_difference(const ShortTraining& a, const ShortTraining& b);

}  // namespace tern
