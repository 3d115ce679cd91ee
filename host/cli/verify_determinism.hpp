#pragma once

#include "host/cli/console.hpp"
#include "host/cli/ranks.hpp"
#include "tern/config.hpp"
#include "tern/dataset.hpp"

namespace tern::cli {

/// Trains the same few steps several times, on a CPU with different numbers of threads, and prints
/// a table that compares all bits with those of the first time. Returns kDone if all are equal,
/// else kFailed. Several ranks train together, each with these numbers of threads; the leader prints.
int verify_determinism(const Config& config, const Dataset& data, Console& console, Ranks& ranks);

}  // namespace tern::cli
