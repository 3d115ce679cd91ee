#pragma once

#include <string>

#include "tern/run.hpp"
#include "tern/trainer.hpp"

namespace tern::cli {

/// The last line of a training: why and where it ended, its best epoch, and how to go on.
std::string ending(const TrainingResult& result, const TrainingProgress& at, const Run& run);

/// The exit code of a training that has ended so.
int exit_code(const TrainingResult& result);

/// How to train a run that the collapse monitor has stopped.
std::string way_on(const Run& run);

}  // namespace tern::cli
