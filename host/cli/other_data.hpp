#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "host/cli/console.hpp"
#include "host/data/interaction_rows.hpp"
#include "tern/config.hpp"
#include "tern/dataset.hpp"
#include "tern/interactions.hpp"

namespace tern::cli {

/// How to read another file of interactions: as the run's data, except for "data.KEY=VALUE" of --set.
/// Throws ConfigError.
DataOptions reading_of(const std::vector<std::string>& sets, Config config);

/// The same for rows of which only users and items count: neither the run's minimum rating nor its
/// columns of ratings and times, which the file need not have.
DataOptions reading_of_rows(const std::vector<std::string>& sets, Config config);

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

/// Reads the rows of a file of users and items. option, "--pairs", is for messages. Prints how the
/// file was read. Throws ConfigError on a directory, and as load_interactions() does.
InteractionRows read_rows(const std::string& file, const DataOptions& options,
                          std::string_view option, Console& console);

}  // namespace tern::cli
