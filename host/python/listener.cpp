#include "host/python/listener.hpp"

#include <chrono>
#include <utility>

namespace nb = nanobind;

namespace tern::python {
namespace {

/// Steps may take less than the lock: it is asked for this often at most.
constexpr auto kBetweenChecks = std::chrono::milliseconds(20);

}  // namespace

Listener::Listener(nb::object on_epoch, nb::object on_note)
    : on_epoch_(std::move(on_epoch)), on_note_(std::move(on_note)) {}

void Listener::note(std::string_view text) {
  const nb::gil_scoped_acquire lock;
  if (!on_note_.is_none()) on_note_(nb::str(text.data(), text.size()));
}

bool Listener::should_stop() {
  if (error_) return true;
  if (Clock::now() - checked_ < kBetweenChecks) return false;
  checked_ = Clock::now();
  const nb::gil_scoped_acquire lock;
  if (PyErr_CheckSignals() != 0) error_.emplace();
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

TrainingResult Listener::run(Trainer& trainer,
                             const std::function<void(const EpochRecord&)>& on_epoch) {
  TrainerCallbacks callbacks;
  callbacks.on_note = [this](std::string_view text) { note(text); };
  callbacks.should_stop = [this] { return should_stop(); };
  callbacks.on_epoch = [&](const EpochRecord& record) {
    if (on_epoch) on_epoch(record);
    this->on_epoch(record);
  };
  try {
    return trainer.run(callbacks);
  } catch (const Stop&) {
    const TrainingProgress at = trainer.progress();
    return {.reason = StopReason::kRequested,
            .epochs = at.epoch,
            .best_epoch = at.selected_epoch,
            .best_metric = at.best_metric.value_or(0.0)};
  }
}

nb::object Listener::error() const {
  return error_ ? nb::borrow(error_->value()) : nb::none();
}

}  // namespace tern::python
