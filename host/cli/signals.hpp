#pragma once

namespace tern::cli {

/// A reader that goes away shall be an error of write(), not a signal that kills a training job.
void ignore_broken_pipes();

/// Takes SIGINT, SIGTERM, SIGHUP and SIGUSR1, by which terminals and schedulers end a job, while
/// one exists; one at a time. What is ignored already, as nohup has it with SIGHUP, stays so.
///
/// Before anything could be saved the first of them ends the process with exit code 75 and
/// one line. From note_from_now_on() it is only noted, so that a job can finish its step and write
/// a checkpoint; the second one then does what the system does with it: it kills, whatever we are
/// at.
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
