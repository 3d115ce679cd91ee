#pragma once

namespace tern::cli {

/// Makes a closed pipe an error of write() instead of a signal that kills a training job.
void ignore_broken_pipes();

/// While the object exists, handles SIGINT, SIGTERM, SIGHUP and SIGUSR1, with which terminals and
/// schedulers end a job. At most one object at a time. Signals that are ignored already stay so, such
/// as SIGHUP under nohup.
///
/// At first a signal ends the process with exit code 75 and one line, as there is nothing to save.
/// After note_from_now_on() the first one is only noted, so that a job can finish its step and write
/// a checkpoint; the second one kills the process.
class StopSignals {
 public:
  StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  ~StopSignals();

  void note_from_now_on() noexcept;
  bool received() const noexcept;
};

}  // namespace tern::cli
