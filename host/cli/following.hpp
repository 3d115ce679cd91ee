#pragma once

#include "host/cli/console.hpp"
#include "host/cli/ranks.hpp"
#include "host/cli/signals.hpp"

namespace tern::cli {

/// The job of a rank that follows: everything that the leader does in `tern train`, without files and
/// messages. Returns the exit code of all ranks. Throws as training does.
int follow(StopSignals& signals, Console& console, Ranks& ranks);

}  // namespace tern::cli
