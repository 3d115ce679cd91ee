#pragma once

#include <string_view>

#include "host/run/job_log.hpp"
#include "host/run/resume.hpp"
#include "host/train/fitted_model.hpp"
#include "tern/config.hpp"
#include "tern/dataset.hpp"
#include "tern/run.hpp"
#include "tern/tensor_file.hpp"
#include "tern/trainer.hpp"

namespace tern {

/// Whether a fitted model of this kind, or its metrics, depends on the key.
bool fit_reads(ModelKind kind, std::string_view key);

/// A fitted model, with the line of metrics of its run.
struct FitResult {
  EpochRecord record;
  TensorFile arrays;
};

/// Measures a model that was fitted in so many seconds, and takes its arrays: the scorer is empty afterwards.
FitResult measure_fit(ItemScorer& scorer, const Dataset& data, const Config& config,
                      double seconds);

/// Writes it into a run that holds no metrics. The run is then complete.
void write_fit(Run& run, FitResult fit);

/// Whether the run has its arrays, whole. Warns of damaged ones, which are then computed again.
bool has_whole_fit(const Run& run, const JobLog& log);

/// Reports changed keys of a complete run, whose arrays and metrics stay. Throws ConfigError if the
/// arrays would be others.
void note_whole_fit(const Config& fitted, const Config& config, const JobLog& log,
                    const ResumeWords& words = {});

}  // namespace tern
