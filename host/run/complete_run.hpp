#pragma once

#include "host/run/job_log.hpp"
#include "tern/backend.hpp"
#include "tern/dataset.hpp"
#include "tern/model.hpp"
#include "tern/run.hpp"

namespace tern {

/// Loads the run's own copy of its data, with a note that says so.
Dataset load_own_copy(const Run& run);

/// Writes the final embeddings of the best checkpoint, so that the run is quick to read. If writing
/// fails, a warning is reported: without the file they are computed from the checkpoint.
void write_embeddings(Run& run, Backend& backend, Model& model, const JobLog& log);

/// The same for a finished run that lacks them, as one whose training ended on a full disk.
void complete_embeddings(Run& run, Backend& backend, const Dataset& data, const JobLog& log);

}  // namespace tern
