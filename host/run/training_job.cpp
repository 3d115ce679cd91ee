#include "host/run/training_job.hpp"

#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/run/resume.hpp"

namespace tern {

TrainingJob::TrainingJob(Run& run, Trainer& trainer, JobCallbacks callbacks, JobRanks* ranks)
    : TrainingJob(&run, trainer, std::move(callbacks), ranks) {}

TrainingJob::TrainingJob(Trainer& trainer, JobCallbacks callbacks, JobRanks& ranks)
    : TrainingJob(nullptr, trainer, std::move(callbacks), &ranks) {}

TrainingJob::TrainingJob(Run* run, Trainer& trainer, JobCallbacks callbacks, JobRanks* ranks)
    : run_(run),
      trainer_(trainer),
      callbacks_(std::move(callbacks)),
      ranks_(ranks != nullptr && ranks->several() ? ranks : nullptr) {
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
  callbacks.should_stop = [this] { return should_stop(); };
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
  const double minutes = trainer_.config().checkpoint.every_minutes;
  bool due =
      minutes > 0.0 && Clock::now() - saved_at_ > std::chrono::duration<double>(60.0 * minutes);
  if (ranks_ != nullptr) {
    // One message a step: whether a rank is to stop, and whether the leader's clock asks for a checkpoint.
    constexpr unsigned kStop = 1;
    constexpr unsigned kDue = 2;
    const unsigned bits =
        ranks_->any((is_asked_to_stop() ? kStop : 0U) | (due && ranks_->leads() ? kDue : 0U));
    stop_after_step_ = (bits & kStop) != 0;
    due = (bits & kDue) != 0;
  }
  if (due) save();
}

bool TrainingJob::is_asked_to_stop() const {
  return callbacks_.training.should_stop && callbacks_.training.should_stop();
}

bool TrainingJob::should_stop() {
  if (ranks_ == nullptr) return is_asked_to_stop();
  if (stop_after_step_) return *std::exchange(stop_after_step_, std::nullopt);
  return ranks_->any(is_asked_to_stop() ? 1U : 0U) != 0;
}

void TrainingJob::on_epoch(const EpochRecord& record) {
  if (run_ != nullptr) {
    run_->append(record);
    if (record.best) {
      run_->write_best(trainer_.best(), record.epoch, trainer_.progress().best_epoch);
    }
  }
  if (callbacks_.training.on_epoch) callbacks_.training.on_epoch(record);
  const int every = trainer_.config().checkpoint.every_epochs;
  if (every > 0 && record.epoch % every == 0) save();
}

void TrainingJob::save() {
  const TrainingProgress now = trainer_.progress();
  if (now.epoch == saved_epoch_ && now.step == saved_step_) return;
  const Clock::time_point begin = Clock::now();
  TrainingState state = trainer_.state();  // whole on every rank, with everybody's help
  if (ranks_ != nullptr) state.counters[kRanksCounter] = ranks_->size();
  if (run_ != nullptr) run_->write_state(std::move(state));
  saved_at_ = Clock::now();
  saved_epoch_ = now.epoch;
  saved_step_ = now.step;
  if (!callbacks_.on_checkpoint) return;
  callbacks_.on_checkpoint(now, std::chrono::duration<double>(saved_at_ - begin).count());
}

/// The last checkpoint; after a second fault behind the same one, the checkpoint before it.
std::optional<Run::SavedState> TrainingJob::state_to_roll_back_to() {
  std::optional<Run::SavedState> saved;
  if (run_ != nullptr) {
    std::vector<std::string> damaged;
    saved = run_->newest_state(&damaged);
    if (saved &&
        rolled_back_to_ == Run::Place{saved->state.progress.epoch, saved->state.progress.step}) {
      saved = run_->newest_state(&damaged, rolled_back_to_);
    }
    for (const std::string& finding : damaged) callbacks_.log.warn(finding);
  }
  if (ranks_ == nullptr) return saved;
  std::optional<TrainingState> state;
  if (saved) state = saved->state;
  ranks_->share(state);
  if (run_ == nullptr && state) saved = Run::SavedState{std::move(*state), "the state of rank 0"};
  return saved;
}

/// Throws the fault again if rollbacks are off or all used up.
void TrainingJob::roll_back(const NumericalFault& fault) {
  const Config& config = trainer_.config();
  const int rollbacks = trainer_.progress().rollbacks + 1;
  if (config.on_nan != OnNan::kRollback) throw NumericalFault(fault);
  if (rollbacks > config.max_rollbacks) {
    throw NumericalFault(
        fmt::format("{} (after {} rollbacks with half the learning rate, see train.max_rollbacks)",
                    fault.what(), config.max_rollbacks));
  }
  if (const std::optional<Run::SavedState> saved = state_to_roll_back_to()) {
    trainer_.restore(saved->state, saved->path.string());
  } else {
    trainer_.restart();
  }
  trainer_.set_rollbacks(rollbacks);
  const TrainingProgress at = trainer_.progress();
  if (callbacks_.on_rollback) callbacks_.on_rollback(at);
  rolled_back_to_ = Run::Place{at.epoch, at.step};
  if (run_ != nullptr) run_->forget_after(*rolled_back_to_);
  saved_at_ = Clock::now();
  // Forces a new checkpoint here, since the old one has the old learning rate.
  saved_epoch_ = -1;
  callbacks_.log.warn(fault.what());
  callbacks_.log.warn(fmt::format(
      "rolled back to {} epochs and {} of {} steps; the learning rate was halved {} of {} times",
      at.epoch, at.step, at.steps, rollbacks, config.max_rollbacks));
}

}  // namespace tern
