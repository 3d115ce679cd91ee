#pragma once

#include <string>

#include "host/cli/console.hpp"
#include "host/cli/run_options.hpp"
#include "host/serve/new_users.hpp"
#include "tern/config.hpp"

namespace tern::cli {

/// Reads a file of interactions of new users, and folds them into a run of embeddings. Rows of known
/// users and rows with unknown items are left out; the console gets their numbers. Throws ConfigError
/// if the model cannot place new users, DataError if no row is left, and as read_rows() does.
NewUsers read_history(const std::string& file, const DataOptions& options, LoadedRun& loaded,
                      Console& console);

}  // namespace tern::cli
