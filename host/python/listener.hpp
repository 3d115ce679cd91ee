#pragma once

#include <nanobind/nanobind.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "host/run/job_log.hpp"
#include "host/run/run_log.hpp"
#include "host/run/training_job.hpp"
#include "host/support/clock.hpp"
#include "tern/baselines.hpp"
#include "tern/trainer.hpp"

namespace tern::python {

/// Ends work that runs without the interpreter's lock at a signal whose handler raises, such as Ctrl-C.
class SignalWatch {
 public:
  /// Throws what the handler has raised. Python calls handlers in its main thread only: in another one, this does
  /// nothing.
  void check();

 private:
  Clock::time_point checked_ = Clock::now();
};

/// Calls Python from work that runs without the interpreter's lock, and ends it at a signal whose handler
/// raises (Ctrl-C), or if a callback raises or asks for it.
class Listener {
 public:
  /// on_epoch(EpochRecord) -> bool, whether to stop; on_note(str) and on_warning(str). Each may be None. Make
  /// and destroy the object with the lock.
  explicit Listener(nanobind::object on_epoch = nanobind::none(),
                    nanobind::object on_note = nanobind::none(),
                    nanobind::object on_warning = nanobind::none());
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // Call the following without the lock.

  /// Trains to the end, or until somebody asks to stop: error() is then what was raised, if anything was.
  TrainingResult run(Trainer& trainer);
  /// The same in a run directory, whose newest checkpoint is then that of the last finished step.
  void run(Run& run, Trainer& trainer);
  void note(std::string_view text);
  /// Messages also go to this file from now on, with those so far.
  void open_log(const std::filesystem::path& file) { file_.open(file); }
  /// The messages of a job, which the listener must outlive.
  JobLog log();
  /// The progress of a fit, which ends at a signal as SignalWatch does; the listener must outlive it.
  BaselineProgress progress();
  /// Whether a signal has arrived whose handler raised.
  bool should_stop();

  /// The exception that ended the work; None. With the lock.
  nanobind::object error() const;

 private:
  void warn(std::string_view text);
  struct Stop {};
  TrainerCallbacks callbacks();
  void on_epoch(const EpochRecord& record);

  nanobind::object on_epoch_;
  nanobind::object on_note_;
  nanobind::object on_warning_;
  RunLog file_;
  std::string progress_;  // as it was noted last
  std::optional<nanobind::python_error> error_;
  SignalWatch signals_;
};

}  // namespace tern::python
