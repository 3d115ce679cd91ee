#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tern/trainer.hpp"

namespace tern::cli {

/// A part of a line; the smaller its rank, the more important it is.
struct LinePart {
  std::string text;
  int rank = 0;
  bool with_previous = false;  // whether it makes no sense without the part before it
};

/// More columns than any line takes.
inline constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();

/// The parts in their order, two spaces apart, without those that do not fit beside more important
/// ones. If even the most important part is too long, its beginning.
std::string fit_line(const std::vector<LinePart>& parts, std::size_t columns);

/// The words of a job that its lines use.
struct ProgressWords {
  int epochs = 0;       // all of the job
  std::string metric;   // the one that selects the best epoch
  std::string samples;  // what an epoch consists of: "triplets", or "pairs" without negatives
};

/// The texts that show how far a training has come. It has no clock and no terminal: times and
/// widths are given.
class ProgressText {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::seconds kBetweenLines{30};

  /// begin: the progress at the start of this process, from which rates and the remaining time are
  /// estimated.
  ProgressText(ProgressWords words, const TrainingProgress& begin, Time now);

  void on_step(const StepProgress& step);
  void on_epoch(const EpochRecord& record, Time now);

  /// Within an epoch: epoch, its share that is done, loss, best metric, rate and time left.
  std::string live(std::size_t columns, Time now) const;
  /// For a log within a long epoch: steps, rate and time left. Nothing if the last line, of this
  /// kind or of an epoch, is less than kBetweenLines old.
  std::optional<std::string> next_line(Time now);
  /// The epoch that was recorded last: loss, metric, best metric, rate and time.
  std::string epoch_line(std::size_t columns) const;
  /// Norms, cosines, effective ranks and gradient norms of that epoch, users/items; "" if the
  /// monitors did not check it.
  std::string health_line(std::size_t columns) const;

 private:
  std::string epoch_name(int epoch) const;
  std::string rate(Time now) const;
  std::string time_left(Time now) const;

  ProgressWords words_;
  Time start_;
  double start_epochs_ = 0.0;  // finished before this process
  Time epoch_start_;
  std::int64_t epoch_start_step_ = 0;
  Time line_at_;
  StepProgress step_;
  EpochRecord last_;  // the last epoch; epoch 0: none yet
  std::optional<double> best_;
  int best_epoch_ = 0;
};

}  // namespace tern::cli
