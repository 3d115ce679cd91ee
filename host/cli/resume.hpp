#pragma once

#include <optional>
#include <vector>

#include "host/cli/console.hpp"
#include "tern/config.hpp"
#include "tern/run.hpp"
#include "tern/trainer.hpp"

namespace tern::cli {

/// The keys that differ from those of the run to resume. Throws ConfigError with both values if
/// data, model or optimiser would no longer fit the trained parameters.
std::vector<ConfigDifference> allowed_changes(const Config& run, const Config& wanted);

/// The state to resume from; none if training has to start from the beginning. Warns of damaged
/// checkpoints. Throws Error if all are damaged, ConfigError if the state is within an epoch whose
/// triplets would differ after the changes.
std::optional<Run::SavedState> load_state(const Run& run,
                                          const std::vector<ConfigDifference>& changes,
                                          Console& console);

/// Restores the trainer from the state, and reports its place and the changes. Without a state,
/// training starts from the beginning.
void resume(Run& run, Trainer& trainer, Run::SavedState* state,
            const std::vector<ConfigDifference>& changes, Console& console);

}  // namespace tern::cli
