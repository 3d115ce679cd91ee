#pragma once

#include "host/cli/console.hpp"
#include "host/cli/signals.hpp"
#include "host/cli/training_plan.hpp"

namespace tern::cli {

/// Fits a model that needs no training (is_fitted()), measures it, and then makes the run, which is in
/// plan.run afterwards. Returns the exit code. A signal while it is fitted ends the process: nothing is
/// written until all is computed, so that the same command starts over.
int fit_run(Plan& plan, const TrainOptions& options, StopSignals& signals, Console& console);

/// Notes the options and keys that a fitted model does not read, and chooses the CPU. Throws
/// ConfigError if a recipe searches settings of training.
void prepare_fit(const TrainOptions& options, Config& config, Console& console);

}  // namespace tern::cli
