#pragma once

#include "host/cli/console.hpp"
#include "tern/backend.hpp"
#include "tern/dataset.hpp"
#include "tern/model.hpp"
#include "tern/run.hpp"

namespace tern::cli {

/// Loads the run's own copy of its data, with a note that says so.
Dataset load_own_copy(const Run& run);

/// Writes the final embeddings of the best checkpoint, so that the run is quick to read. If writing
/// fails, a warning is printed: without the file they are computed from the checkpoint.
void write_embeddings(Run& run, Backend& backend, Model& model, Console& console);

/// The same for a finished run that lacks them, as one whose training ended on a full disk.
void complete_embeddings(Run& run, Backend& backend, const Dataset& data, Console& console);

}  // namespace tern::cli
