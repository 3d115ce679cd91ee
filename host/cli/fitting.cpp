#include "host/cli/fitting.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/cli/commands.hpp"
#include "host/cli/format.hpp"
#include "host/cli/job_report.hpp"
#include "host/cli/search.hpp"
#include "host/run/fitting.hpp"
#include "host/run/job_description.hpp"
#include "host/support/clock.hpp"
#include "host/support/message.hpp"
#include "host/train/fitted_model.hpp"
#include "host/train/graph_filter.hpp"
#include "tern/device.hpp"
#include "tern/error.hpp"
#include "tern/memory.hpp"

namespace tern::cli {
namespace {

/// Lines of progress: live on a terminal, elsewhere every half minute.
class FitProgress {
 public:
  explicit FitProgress(Console& console) : console_(console) {}

  void operator()(std::string_view text) {
    console_.live(text);
    if (console_.is_terminal() || seconds_since(shown_) < kQuietSeconds) return;
    console_.line(text);
    shown_ = Clock::now();
  }

 private:
  static constexpr double kQuietSeconds = 30.0;
  Console& console_;
  Clock::time_point shown_ = Clock::now();
};

std::string summary_of(const EpochRecord& record, const Config& config) {
  std::string text = fmt::format("fitted in {}", duration(record.seconds));
  if (!record.metrics) return text;
  return text + fmt::format("; {} on {}: {}", config.metric,
                            config.select_on == SelectionSplit::kTest ? "test" : "validation",
                            brief(metric(*record.metrics, config.metric)));
}

/// Throws Error, with what to change, if memory is short.
std::unique_ptr<ItemScorer> fit_in_memory(const Dataset& data, const Config& config,
                                          FitProgress& progress) {
  std::string finding = "not enough memory";
  try {
    return fit_model(data, config, std::ref(progress));
  } catch (const MemoryError& error) {
    finding = error.what();
  } catch (const std::bad_alloc&) {
  }
  const std::string_view keys = fit_memory(data, config).keys;
  throw Error(fmt::format("{}: {}", finding,
                          keys == "data.k_core"
                              ? "a larger data.k_core leaves fewer items, --model "
                                "graph_filter needs less memory"
                              : fmt::format("reduce {}", keys)));
}

/// Reports a rank beyond that of the data, which the model cannot have.
void note_rank(const Config& config, const TensorFile& arrays, Console& console) {
  if (config.model.kind != ModelKind::kGraphFilter) return;
  const std::int64_t rank = arrays.tensors.at(GfCf::kVectors).shape[1];
  if (rank >= config.model.graph_filter.rank) return;
  console.line(fmt::format("The data has only {} singular vectors: graph_filter.rank counts as {}.",
                           rank, rank));
}

void check_places(const Plan& plan, const TrainOptions& options, const Dataset& data) {
  const std::filesystem::path out = plan.run           ? plan.run->path()
                                    : plan.out.empty() ? "runs"
                                                       : std::filesystem::path(plan.out);
  if (!plan.run) expect_room_for_run(plan, options);
  check_fitted_space(out, plan.config, data, array_bytes(data, plan.config.model));
}

/// Writes a new run, or completes the one that was begun.
void write_run(Plan& plan, const TrainOptions& options, const Dataset& data, FitResult fit,
               Console& console) {
  if (plan.run) {
    plan.run->forget_after({.epoch = -1});  // all metrics
    plan.run->set_config(plan.config);
  } else {
    plan.run = create_run(plan, options, data);
    console.open_log(plan.run->log_file());
  }
  write_fit(*plan.run, std::move(fit));
}

}  // namespace

void prepare_fit(const TrainOptions& options, Config& config, Console& console) {
  const std::string_view name = model_name(config.model.kind);
  if (searches(options.config)) {
    throw ConfigError(fmt::format(
        "--recipe {} searches settings of training, but model.kind = {} is not trained: "
        "leave one of them out",
        options.config.recipe()->name, name));
  }
  std::vector<std::string> unread;
  for (const ConfigDifference& given : compare_configs(Config(), config)) {
    if (!fit_reads(config.model.kind, given.key)) unread.push_back(given.key);
  }
  if (!unread.empty()) {
    console.line(fmt::format("{} is fitted without training and does not read: {}", name,
                             fmt::join(unread, ", ")));
  }
  if (config.device.starts_with("cuda")) {
    console.line(fmt::format("{} is computed on the CPU, whatever train.device is", name));
  }
  config.device = "cpu";
}

int fit_run(Plan& plan, const TrainOptions& options, StopSignals& signals, Console& console) {
  Config& config = plan.config;
  prepare_fit(options, config, console);
  const Dataset data = load_data(plan, console);
  if (plan.run && has_whole_fit(*plan.run, log_to(console))) {
    note_whole_fit(plan.run->config(), config, log_to(console));
    return kDone;
  }
  for (const std::string& note : data.notes) console.line(note);
  const std::unique_ptr<Backend> backend = make_backend("cpu", config.threads);
  console.line(describe_job(config, *backend));
  fit_ks(config, data, console);
  expect_fittable(data, config);
  check_places(plan, options, data);
  console.line(memory_line(estimate_memory({}, data, config), *backend));
  console.line(
      fmt::format("The model takes {} on disk.", format_bytes(array_bytes(data, config.model))));

  const Clock::time_point begin = Clock::now();
  FitProgress progress(console);
  const std::unique_ptr<ItemScorer> scorer = fit_in_memory(data, config, progress);
  const double seconds = seconds_since(begin);
  progress(fmt::format("{}: ranking", model_name(config.model.kind)));
  FitResult fit = measure_fit(*scorer, data, config, seconds);
  note_rank(config, fit.arrays, console);
  const std::string summary = summary_of(fit.record, config);
  signals.note_from_now_on();  // writing is not interrupted
  write_run(plan, options, data, std::move(fit), console);
  console.line(summary);
  return kDone;
}

}  // namespace tern::cli
