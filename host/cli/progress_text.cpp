#include "host/cli/progress_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "host/cli/columns.hpp"
#include "host/cli/format.hpp"

namespace tern::cli {
namespace {

double seconds_between(ProgressText::Time begin, ProgressText::Time end) {
  return std::chrono::duration<double>(end - begin).count();
}

double share_of(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0.0;
}

}  // namespace

std::string fit_line(const std::vector<LinePart>& parts, std::size_t columns) {
  std::vector<std::size_t> order(parts.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return parts[i].rank; });
  std::vector<bool> shown(parts.size(), false);
  const auto joined = [&] {
    std::string line;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (shown[i]) line += (line.empty() ? "" : "  ") + parts[i].text;
    }
    return line;
  };
  std::string line;
  for (const std::size_t i : order) {
    if (parts[i].text.empty() || (parts[i].with_previous && !shown[i - 1])) continue;
    shown[i] = true;
    const std::string longer = joined();
    shown[i] = line.empty() || columns_of(longer) <= columns;
    if (shown[i]) line = longer;
  }
  return std::string(first_columns(line, columns));
}

ProgressText::ProgressText(ProgressWords words, const TrainingProgress& begin, Time now)
    : words_(std::move(words)),
      start_(now),
      start_epochs_(begin.epoch + share_of(begin.step, begin.steps)),
      epoch_start_(now),
      epoch_start_step_(begin.step),
      line_at_(now),
      step_{.epoch = begin.epoch + 1, .step = begin.step, .steps = begin.steps, .loss = {}},
      best_(begin.best_metric),
      best_epoch_(begin.best_epoch) {}

void ProgressText::on_step(const StepProgress& step) {
  if (step.epoch != step_.epoch) epoch_start_step_ = 0;
  step_ = step;
}

void ProgressText::on_epoch(const EpochRecord& record, Time now) {
  last_ = record;
  if (record.best) {
    best_ = metric(*record.metrics, words_.metric);
    best_epoch_ = record.epoch;
  }
  step_ = {record.epoch, step_.steps, step_.steps, step_.triplets, record.loss};
  epoch_start_ = line_at_ = now;
  epoch_start_step_ = step_.steps;  // no step of the next epoch is done
}

std::string ProgressText::epoch_name(int epoch) const {
  return fmt::format("epoch {:>{}}/{}", epoch, std::to_string(words_.epochs).size(), words_.epochs);
}

/// The figures of the current epoch; at its beginning, those of the epoch before.
std::string ProgressText::rate(Time now) const {
  const double seconds = seconds_between(epoch_start_, now);
  const double triplets =
      share_of(step_.step - epoch_start_step_, step_.steps) * static_cast<double>(step_.triplets);
  double rate = last_.triplets_per_second;
  if (triplets > 0.0 && seconds > 0.0) rate = triplets / seconds;
  return rate > 0.0 ? fmt::format("{} {}/s", brief(rate), words_.samples) : "";
}

std::string ProgressText::time_left(Time now) const {
  const double done = step_.epoch - 1 + share_of(step_.step, step_.steps);
  if (done <= start_epochs_) return "";
  const double seconds = seconds_between(start_, now) / (done - start_epochs_);
  return duration(seconds * std::max(words_.epochs - done, 0.0)) + " left";
}

std::string ProgressText::live(std::size_t columns, Time now) const {
  std::optional<double> loss = step_.loss;
  if (!loss && last_.epoch > 0) loss = last_.loss;
  return fit_line({{epoch_name(step_.epoch), 0},
                   {fmt::format("{:3.0f}%", 100.0 * share_of(step_.step, step_.steps)), 1},
                   {loss ? "loss " + brief(*loss) : "", 4},
                   {best_ ? fmt::format("best {} {}", words_.metric, brief(*best_)) : "", 2},
                   {best_ ? fmt::format("(epoch {})", best_epoch_) : "", 6, true},
                   {rate(now), 5},
                   {time_left(now), 3}},
                  columns);
}

std::optional<std::string> ProgressText::next_line(Time now) {
  if (now - line_at_ < kBetweenLines) return std::nullopt;
  line_at_ = now;
  return fit_line({{epoch_name(step_.epoch), 0},
                   {fmt::format("step {} of {}", grouped(step_.step), grouped(step_.steps)), 0},
                   {rate(now), 0},
                   {time_left(now), 0}},
                  kNoLimit);
}

std::string ProgressText::epoch_line(std::size_t columns) const {
  std::string measured;
  if (last_.metrics) {
    measured = fmt::format("{} {}{}", words_.metric, brief(metric(*last_.metrics, words_.metric)),
                           last_.best ? " (best)" : "");
  }
  std::string best;
  if (best_ && !last_.best) best = fmt::format("best {} (epoch {})", brief(*best_), best_epoch_);
  return fit_line({{epoch_name(last_.epoch), 0},
                   {fmt::format("loss {:>7}", brief(last_.loss)), 2},
                   {std::move(measured), 1},
                   {std::move(best), 3},
                   {fmt::format("{} {}/s", brief(last_.triplets_per_second), words_.samples), 5},
                   {duration(last_.seconds), 4}},
                  columns);
}

std::string ProgressText::health_line(std::size_t columns) const {
  if (last_.users.rows == 0) return "";
  const EmbeddingStatistics& users = last_.users;
  const EmbeddingStatistics& items = last_.items;
  return fit_line(
      {{epoch_name(last_.epoch), 0},
       {fmt::format("norm {}/{}", brief(users.mean_norm), brief(items.mean_norm)), 2},
       {fmt::format("cosine {:.2f}/{:.2f}", users.mean_cosine, items.mean_cosine), 3},
       {fmt::format("rank {:.1f}/{:.1f}", users.effective_rank, items.effective_rank), 1},
       {fmt::format("gradient {}/{}", brief(last_.user_gradient_norm),
                    brief(last_.item_gradient_norm)),
        4}},
      columns);
}

}  // namespace tern::cli
