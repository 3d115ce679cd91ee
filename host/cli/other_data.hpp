#pragma once

#include <cstdint>
#include <string>

#include "host/cli/console.hpp"
#include "tern/dataset.hpp"
#include "tern/interactions.hpp"

namespace tern::cli {

/// Interactions from another file, as ids of a run.
struct OtherData {
  Interactions interactions;
  std::int64_t read = 0;
  std::int64_t left_out = 0;  // because the run does not know their user or their item
};

/// Reads a file of interactions and finds its ids in the run's names. Prints how many were unknown,
/// and how many interactions are in the run's training or validation split. Throws DataError if no
/// interaction is left, and as load_interactions() does; ConfigError on a directory.
OtherData read_other_data(const std::string& file, const DataOptions& options, const Dataset& run,
                          Console& console);

}  // namespace tern::cli
