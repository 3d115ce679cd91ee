#include "host/cli/progress.hpp"

#include <fmt/format.h>

#include <utility>

#include "host/cli/format.hpp"

namespace tern::cli {
namespace {

// Often enough to look live, seldom enough to cost nothing.
constexpr std::chrono::milliseconds kBetweenUpdates{100};

}  // namespace

Progress::Progress(Console& console, int epochs, std::string metric)
    : console_(console), epochs_(epochs), metric_(std::move(metric)) {}

void Progress::start_at(const TrainingProgress& begin) {
  start_epochs_ = begin.epoch;
  if (begin.steps > 0) {
    start_epochs_ += static_cast<double>(begin.step) / static_cast<double>(begin.steps);
  }
}

void Progress::on_step(const StepProgress& step) {
  if (!console_.is_terminal()) return;
  const Clock::time_point now = Clock::now();
  if (now - shown_ < kBetweenUpdates) return;
  shown_ = now;
  show(step.epoch, static_cast<double>(step.step) / static_cast<double>(step.steps));
}

void Progress::on_epoch(const EpochRecord& record) {
  figures_ = fmt::format("  loss {}  {} triplets/s", brief(record.loss),
                         brief(record.triplets_per_second));
  std::string measured;
  if (record.metrics.has_value()) {
    const double value = metric(*record.metrics, metric_);
    if (record.best) {
      best_ = value;
      best_epoch_ = record.epoch;
    }
    measured = fmt::format("  {} {}{}", metric_, brief(value), record.best ? "  (best)" : "");
  }
  std::string health;
  if (record.users.rows > 0) {
    health = fmt::format("  norm {}/{}  cos {:.2f}/{:.2f}  rank {:.0f}/{:.0f}  gradient {}/{}",
                         brief(record.users.mean_norm), brief(record.items.mean_norm),
                         record.users.mean_cosine, record.items.mean_cosine,
                         record.users.effective_rank, record.items.effective_rank,
                         brief(record.user_gradient_norm), brief(record.item_gradient_norm));
  }
  figures_ += health;
  const std::size_t width = std::to_string(epochs_).size();
  const std::string line =
      fmt::format("epoch {:>{}}/{}  loss {:>7}  {:>11} triplets/s  {:>7}{}{}", record.epoch, width,
                  epochs_, brief(record.loss), brief(record.triplets_per_second),
                  duration(record.seconds), health, measured);
  // On a terminal the live line shows the epochs without metrics.
  if (!console_.is_terminal() || !measured.empty()) {
    console_.line(line);
  } else {
    console_.log(Console::Level::kInfo, line);
  }
  for (const std::string& finding : record.collapse) console_.warn(finding);
  show(record.epoch, 1.0);
}

void Progress::show(int epoch, double part_of_epoch) {
  const double done = epoch - 1 + part_of_epoch;
  const double elapsed = std::chrono::duration<double>(Clock::now() - start_).count();
  std::string text =
      fmt::format("epoch {}/{} {:3.0f}%{}", epoch, epochs_, 100.0 * part_of_epoch, figures_);
  if (done > start_epochs_) {
    text += "  " + duration(elapsed / (done - start_epochs_) * (epochs_ - done)) + " left";
  }
  if (best_epoch_ > 0) {
    text += fmt::format("  best {} {} (epoch {})", metric_, brief(best_), best_epoch_);
  }
  console_.live(text);
}

}  // namespace tern::cli
