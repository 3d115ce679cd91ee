#pragma once

namespace tern::cli {

/// A reader that goes away shall be an error of write(), not a signal that kills a training job.
void ignore_broken_pipes();

/// While one exists, the first SIGINT or SIGTERM is only noted, so that a job can finish its step
/// and write a checkpoint; the second kills at once. One at a time.
class StopSignals {
 public:
  StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  ~StopSignals();

  bool received() const noexcept;
};

}  // namespace tern::cli
