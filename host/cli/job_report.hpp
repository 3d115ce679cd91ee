#pragma once

#include "host/cli/console.hpp"
#include "host/cli/progress.hpp"
#include "host/cli/signals.hpp"
#include "host/run/job_log.hpp"
#include "host/run/training_job.hpp"
#include "tern/config.hpp"

namespace tern::cli {

/// The messages of a job on the console, which must outlive the log.
JobLog log_to(Console& console);

/// The words by which the progress of a job with this configuration is shown.
ProgressWords words_of(const Config& config);

/// The callbacks of a job that shows its progress and ends at a signal. The arguments must outlive it.
JobCallbacks report_job(Progress& progress, Console& console, const StopSignals& signals);

}  // namespace tern::cli
