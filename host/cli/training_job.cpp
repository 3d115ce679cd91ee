#include "host/cli/training_job.hpp"

#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/cli/format.hpp"
#include "host/config/batch.hpp"

namespace tern::cli {
namespace {

ProgressWords words_of(const Config& config) {
  return {config.epochs, config.metric, draws_negatives(config.loss) ? "triplets" : "pairs"};
}

}  // namespace

TrainingJob::TrainingJob(Run* run, Trainer& trainer, Console& console, const StopSignals& signals,
                         Ranks& ranks)
    : run_(run),
      trainer_(trainer),
      console_(console),
      signals_(signals),
      ranks_(ranks),
      progress_(console, words_of(trainer.config()), trainer.progress()) {
  const TrainingProgress begin = trainer.progress();
  if (begin.updates == 0) return;
  saved_epoch_ = begin.epoch;
  saved_step_ = begin.step;
}

TrainerCallbacks TrainingJob::callbacks() {
  TrainerCallbacks callbacks;
  if (!noted_) callbacks.on_note = [this](std::string_view note) { console_.line(note); };
  callbacks.on_step = [this](const StepProgress& step) { on_step(step); };
  callbacks.on_epoch = [this](const EpochRecord& record) { on_epoch(record); };
  callbacks.should_stop = [this] { return should_stop(); };
  noted_ = true;
  return callbacks;
}

TrainingResult TrainingJob::run() {
  for (;;) {
    try {
      const TrainingResult result = trainer_.run(callbacks());
      save();
      return result;
    } catch (const NumericalFault& fault) {
      roll_back(fault);
    }
  }
}

void TrainingJob::on_step(const StepProgress& step) {
  progress_.on_step(step);
  const double minutes = trainer_.config().checkpoint.every_minutes;
  bool due =
      minutes > 0.0 && Clock::now() - saved_at_ > std::chrono::duration<double>(60.0 * minutes);
  if (ranks_.several()) {
    // One message a step: whether a rank has a signal, and whether the leader's clock asks for a checkpoint.
    constexpr unsigned kStop = 1;
    constexpr unsigned kDue = 2;
    const unsigned bits =
        ranks_.any((signals_.received() ? kStop : 0U) | (due && ranks_.leads() ? kDue : 0U));
    stop_after_step_ = (bits & kStop) != 0;
    due = (bits & kDue) != 0;
  }
  if (due) save();
}

bool TrainingJob::should_stop() {
  if (stop_after_step_) return *std::exchange(stop_after_step_, std::nullopt);
  return ranks_.any(signals_.received() ? 1U : 0U) != 0;
}

void TrainingJob::on_epoch(const EpochRecord& record) {
  if (run_ != nullptr) {
    run_->append(record);
    if (record.best) {
      run_->write_best(trainer_.best(), record.epoch, trainer_.progress().best_epoch);
    }
  }
  progress_.on_epoch(record);
  const int every = trainer_.config().checkpoint.every_epochs;
  if (every > 0 && record.epoch % every == 0) save();
}

void TrainingJob::save() {
  const TrainingProgress now = trainer_.progress();
  if (now.epoch == saved_epoch_ && now.step == saved_step_) return;
  const Clock::time_point begin = Clock::now();
  TrainingState state = trainer_.state();  // whole on every rank, with everybody's help
  if (run_ != nullptr) run_->write_state(std::move(state));
  saved_at_ = Clock::now();
  saved_epoch_ = now.epoch;
  saved_step_ = now.step;
  console_.log(
      Console::Level::kInfo,
      fmt::format("checkpoint after {} epochs and {} steps, written in {}", now.epoch, now.step,
                  duration(std::chrono::duration<double>(saved_at_ - begin).count())));
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
    for (const std::string& finding : damaged) console_.warn(finding);
  }
  if (!ranks_.several()) return saved;
  std::optional<TrainingState> state;
  if (saved) state = saved->state;
  ranks_.share(state);
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
  progress_.restart_at(at);
  rolled_back_to_ = Run::Place{at.epoch, at.step};
  if (run_ != nullptr) run_->forget_after(*rolled_back_to_);
  saved_at_ = Clock::now();
  // Forces a new checkpoint here, since the old one has the old learning rate.
  saved_epoch_ = -1;
  console_.warn(fault.what());
  console_.warn(fmt::format(
      "rolled back to {} epochs and {} of {} steps; the learning rate was halved {} of {} times",
      at.epoch, at.step, at.steps, rollbacks, config.max_rollbacks));
}

}  // namespace tern::cli
