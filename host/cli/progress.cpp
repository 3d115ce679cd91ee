#include "host/cli/progress.hpp"

#include <optional>
#include <utility>

namespace tern::cli {
namespace {

// Often enough to look live, seldom enough to cost nothing.
constexpr std::chrono::milliseconds kBetweenUpdates{100};

}  // namespace

Progress::Progress(Console& console, ProgressWords words, const TrainingProgress& begin,
                   std::function<Time()> clock)
    : console_(console),
      clock_(std::move(clock)),
      words_(std::move(words)),
      text_(words_, begin, clock_()) {}

void Progress::restart_at(const TrainingProgress& begin) {
  text_ = ProgressText(words_, begin, clock_());
}

void Progress::on_step(const StepProgress& step) {
  const Time now = clock_();
  text_.on_step(step);
  if (const std::optional<std::string> line = text_.next_line(now)) {
    console_.is_terminal() ? console_.log(Console::Level::kInfo, *line) : console_.line(*line);
  }
  if (!console_.is_terminal() || now - shown_ < kBetweenUpdates) return;
  shown_ = now;
  console_.live(text_.live(console_.columns(), now));
}

void Progress::on_epoch(const EpochRecord& record) {
  const Time now = clock_();
  text_.on_epoch(record, now);
  // On a terminal the live line shows the epochs without metrics.
  if (!console_.is_terminal() || record.metrics.has_value()) {
    console_.show(text_.epoch_line(console_.columns()));
  }
  console_.log(Console::Level::kInfo, text_.epoch_line(kNoLimit));
  if (record.users.rows > 0) {
    if (console_.is_verbose() || !record.collapse.empty()) {
      console_.show(text_.health_line(console_.columns()));
    }
    console_.log(Console::Level::kInfo, text_.health_line(kNoLimit));
  }
  for (const std::string& finding : record.collapse) console_.warn(finding);
  console_.live(text_.live(console_.columns(), now));
}

}  // namespace tern::cli
