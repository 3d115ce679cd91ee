#pragma once

#include "host/cli/console.hpp"
#include "tern/config.hpp"
#include "tern/dataset.hpp"

namespace tern::cli {

/// Trains the same few steps again and again, on a CPU with several numbers of threads, and
/// compares all bits with those of the first time: a table on standard output. The exit code:
/// whether all were equal.
int verify_determinism(const Config& config, const Dataset& data, Console& console);

}  // namespace tern::cli
