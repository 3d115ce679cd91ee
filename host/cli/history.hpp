#pragma once

#include <string>
#include <vector>

#include "host/cli/console.hpp"
#include "host/cli/run_options.hpp"
#include "tern/interactions.hpp"
#include "tern/vocabulary.hpp"

namespace tern::cli {

/// Users that training has not seen, by the items that they have interacted with.
struct HistoryUsers {
  Vocabulary names;
  Interactions observed;    // (names, items of the run)
  Interactions history;     // the same without items of which the run knows nothing
  std::vector<float> rows;  // final embeddings, (names, D); empty in a run without embeddings
  std::vector<bool> cold;   // users with no item of which the run knows anything
};

/// Reads a file of interactions of new users, and folds them into a run of embeddings. Rows of known
/// users and rows with unknown items are left out; the console gets their numbers. Throws ConfigError
/// if the model cannot place new users, DataError if no row is left, and as read_rows() does.
HistoryUsers read_history(const std::string& file, const DataOptions& options, LoadedRun& loaded,
                          Console& console);

}  // namespace tern::cli
