#pragma once

#include <nanobind/nanobind.h>

#include <functional>
#include <optional>
#include <string_view>

#include "host/support/clock.hpp"
#include "tern/trainer.hpp"

namespace tern::python {

/// Calls Python from work that runs without the interpreter's lock, and ends it at a signal whose handler
/// raises (Ctrl-C), or if a callback raises or asks for it.
class Listener {
 public:
  /// on_epoch(EpochRecord) -> bool, whether to stop; on_note(str). Either may be None. Make and destroy the
  /// object with the lock.
  Listener(nanobind::object on_epoch, nanobind::object on_note);

  /// Trains to the end, or until somebody asks to stop: error() is then what was raised, if anything
  /// was. on_epoch is called before Python is. Call it without the lock, as the others.
  TrainingResult run(Trainer& trainer,
                     const std::function<void(const EpochRecord&)>& on_epoch = {});
  void note(std::string_view text);
  /// Whether a signal has arrived whose handler raised.
  bool should_stop();

  /// The exception that ended the work; None. With the lock.
  nanobind::object error() const;

 private:
  struct Stop {};
  void on_epoch(const EpochRecord& record);

  nanobind::object on_epoch_;
  nanobind::object on_note_;
  std::optional<nanobind::python_error> error_;
  Clock::time_point checked_ = Clock::now();
};

}  // namespace tern::python
