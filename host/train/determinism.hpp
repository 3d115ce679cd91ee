#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "tern/backend.hpp"
#include "tern/config.hpp"
#include "tern/dataset.hpp"
#include "tern/evaluation.hpp"
#include "tern/trainer.hpp"

namespace tern {

/// What training comes to after so many steps: its state, and the metrics of the selection split
/// as they then are (without the evaluation where nothing can be selected).
struct ShortTraining {
  TrainingState state;
  Metrics metrics;
};

/// Trains anew for this many steps, over epochs' ends where they come, without checkpoints or
/// monitors' limits. Throws as Trainer does.
ShortTraining train_briefly(Backend& backend, const Dataset& data, const Config& config,
                            std::int64_t steps);

/// The first difference of two of them, in bits: "optimizer.first_moment.user_embedding differs in
/// 12 of 4096 elements, the first at 17: 0.1 and 0.2"; none where they are equal.
std::optional<std::string> find_difference(const ShortTraining& a, const ShortTraining& b);

}  // namespace tern
