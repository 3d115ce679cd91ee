#include "host/python/listener.hpp"

#include <chrono>
#include <utility>

namespace nb = nanobind;

namespace tern::python {
namespace {

/// Steps may take less than the lock: it is asked for this often at most.
constexpr auto kBetweenChecks = std::chrono::milliseconds(20);

void call(const nb::object& function, std::string_view text) {
  const nb::gil_scoped_acquire lock;
  if (!function.is_none()) function(nb::str(text.data(), text.size()));
}

}  // namespace

void SignalWatch::check() {
  if (Clock::now() - checked_ < kBetweenChecks) return;
  checked_ = Clock::now();
  const nb::gil_scoped_acquire lock;
  if (PyErr_CheckSignals() != 0) throw nb::python_error();
}

Listener::Listener(nb::object on_epoch, nb::object on_note, nb::object on_warning)
    : on_epoch_(std::move(on_epoch)),
      on_note_(std::move(on_note)),
      on_warning_(std::move(on_warning)) {}

void Listener::note(std::string_view text) {
  file_.write(LogLevel::kInfo, text);
  call(on_note_, text);
}

void Listener::warn(std::string_view text) {
  file_.write(LogLevel::kWarning, text);
  call(on_warning_, text);
}

JobLog Listener::log() {
  return {.line = [this](std::string_view text) { note(text); },
          .warning = [this](std::string_view text) { warn(text); }};
}

BaselineProgress Listener::progress() {
  return [this](std::string_view text) {
    if (text != progress_) call(on_note_, progress_ = text);
    signals_.check();
  };
}

bool Listener::should_stop() {
  if (error_) return true;
  try {
    signals_.check();
  } catch (nb::python_error& error) {
    const nb::gil_scoped_acquire lock;
    error_.emplace(std::move(error));
  }
  return error_.has_value();
}

void Listener::on_epoch(const EpochRecord& record) {
  const nb::gil_scoped_acquire lock;
  if (on_epoch_.is_none()) return;
  bool stops = false;
  try {
    stops = nb::cast<bool>(on_epoch_(record));
  } catch (nb::python_error& error) {
    error_.emplace(std::move(error));
  }
  // The trainer would make another step before it asks whether to stop.
  if (stops || error_) throw Stop();
}

TrainerCallbacks Listener::callbacks() {
  TrainerCallbacks callbacks;
  callbacks.on_note = log().line;
  callbacks.should_stop = [this] { return should_stop(); };
  callbacks.on_epoch = [this](const EpochRecord& record) { on_epoch(record); };
  return callbacks;
}

TrainingResult Listener::run(Trainer& trainer) {
  try {
    return trainer.run(callbacks());
  } catch (const Stop&) {
    const TrainingProgress at = trainer.progress();
    return {.reason = StopReason::kRequested,
            .epochs = at.epoch,
            .best_epoch = at.selected_epoch,
            .best_metric = at.best_metric.value_or(0.0)};
  }
}

void Listener::run(Run& run, Trainer& trainer) {
  JobCallbacks job_callbacks;
  job_callbacks.training = callbacks();
  job_callbacks.log = log();
  TrainingJob job(run, trainer, std::move(job_callbacks));
  try {
    job.run();
  } catch (const Stop&) {
    job.save();
  }
}

nb::object Listener::error() const {
  return error_ ? nb::borrow(error_->value()) : nb::none();
}

}  // namespace tern::python
