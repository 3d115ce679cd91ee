#include "host/run/training_job.hpp"

#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tern {

TrainingJob::TrainingJob(Run& run, Trainer& trainer, JobCallbacks callbacks)
    : run_(run), trainer_(trainer), callbacks_(std::move(callbacks)) {
  const TrainingProgress begin = trainer.progress();
  if (begin.updates == 0) return;
  saved_epoch_ = begin.epoch;
  saved_step_ = begin.step;
}

TrainerCallbacks TrainingJob::trainer_callbacks() {
  TrainerCallbacks callbacks;
  if (!noted_) callbacks.on_note = callbacks_.training.on_note;
  callbacks.on_step = [this](const StepProgress& step) { on_step(step); };
  callbacks.on_epoch = [this](const EpochRecord& record) { on_epoch(record); };
  callbacks.should_stop = callbacks_.training.should_stop;
  noted_ = true;
  return callbacks;
}

TrainingResult TrainingJob::run() {
  for (;;) {
    try {
      const TrainingResult result = trainer_.run(trainer_callbacks());
      save();
      return result;
    } catch (const NumericalFault& fault) {
      roll_back(fault);
    }
  }
}

void TrainingJob::on_step(const StepProgress& step) {
  if (callbacks_.training.on_step) callbacks_.training.on_step(step);
  const double minutes = run_.config().checkpoint.every_minutes;
  if (minutes > 0.0 && Clock::now() - saved_at_ > std::chrono::duration<double>(60.0 * minutes)) {
    save();
  }
}

void TrainingJob::on_epoch(const EpochRecord& record) {
  run_.append(record);
  if (record.best) run_.write_best(trainer_.best(), record.epoch, trainer_.progress().best_epoch);
  if (callbacks_.training.on_epoch) callbacks_.training.on_epoch(record);
  const int every = run_.config().checkpoint.every_epochs;
  if (every > 0 && record.epoch % every == 0) save();
}

void TrainingJob::save() {
  const TrainingProgress now = trainer_.progress();
  if (now.epoch == saved_epoch_ && now.step == saved_step_) return;
  const Clock::time_point begin = Clock::now();
  run_.write_state(trainer_.state());
  saved_at_ = Clock::now();
  saved_epoch_ = now.epoch;
  saved_step_ = now.step;
  if (!callbacks_.on_checkpoint) return;
  callbacks_.on_checkpoint(now, std::chrono::duration<double>(saved_at_ - begin).count());
}

/// Throws the fault again if rollbacks are off or all used up.
void TrainingJob::roll_back(const NumericalFault& fault) {
  const Config& config = run_.config();
  const int rollbacks = trainer_.progress().rollbacks + 1;
  if (config.on_nan != OnNan::kRollback) throw NumericalFault(fault);
  if (rollbacks > config.max_rollbacks) {
    throw NumericalFault(
        fmt::format("{} (after {} rollbacks with half the learning rate, see train.max_rollbacks)",
                    fault.what(), config.max_rollbacks));
  }
  // A second fault after the same checkpoint: use the checkpoint before it.
  std::vector<std::string> damaged;
  std::optional<Run::SavedState> saved = run_.newest_state(&damaged);
  if (saved &&
      rolled_back_to_ == Run::Place{saved->state.progress.epoch, saved->state.progress.step}) {
    saved = run_.newest_state(&damaged, rolled_back_to_);
  }
  for (const std::string& finding : damaged) callbacks_.log.warn(finding);
  if (saved) {
    trainer_.restore(saved->state, saved->path.string());
  } else {
    trainer_.restart();
  }
  trainer_.set_rollbacks(rollbacks);
  const TrainingProgress at = trainer_.progress();
  if (callbacks_.on_rollback) callbacks_.on_rollback(at);
  rolled_back_to_ = Run::Place{at.epoch, at.step};
  run_.forget_after(*rolled_back_to_);
  saved_at_ = Clock::now();
  // Forces a new checkpoint here, since the old one has the old learning rate.
  saved_epoch_ = -1;
  callbacks_.log.warn(fault.what());
  callbacks_.log.warn(fmt::format(
      "rolled back to {} epochs and {} of {} steps; the learning rate was halved {} of {} times",
      at.epoch, at.step, at.steps, rollbacks, config.max_rollbacks));
}

}  // namespace tern
