#pragma once

#include <string>
#include <vector>

#include "host/cli/console.hpp"
#include "tern/config.hpp"
#include "tern/run.hpp"
#include "tern/trainer.hpp"

namespace tern::cli {

/// What is otherwise than in the run that shall go on. Throws ConfigError, with both values, where
/// data, model or optimiser would not fit what has been learned.
std::vector<ConfigDifference> allowed_changes(const Config& run, const Config& wanted);
/// Throws ConfigError where the state is within an epoch that would be another one after the
/// changes.
void expect_same_epoch(const std::vector<ConfigDifference>& changes, const TrainingProgress& at);

/// Has the trainer go on from the state, and says from where, and what has changed. Without a state
/// training begins anew.
void resume(Run& run, Trainer& trainer, Run::SavedState* state,
            const std::vector<ConfigDifference>& changes, Console& console);

}  // namespace tern::cli
