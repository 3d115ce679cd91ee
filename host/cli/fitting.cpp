#include "host/cli/fitting.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
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
#include "host/cli/search.hpp"
#include "host/run/checkpoint.hpp"
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

bool reads_key(ModelKind kind, std::string_view key) {
  constexpr std::array<std::string_view, 8> kRead{"log.",         "model.kind",   "data.",
                                                  "evaluation.",  "train.metric", "train.select_on",
                                                  "train.device", "train.threads"};
  const auto is_read = [&](std::string_view known) { return key.starts_with(known); };
  if (std::ranges::any_of(kRead, is_read)) return true;
  if (kind == ModelKind::kEase) return key.starts_with("ease.");
  return key.starts_with("graph_filter.") || key == "train.seed";
}

std::string describe_fit(const ModelOptions& model) {
  if (model.kind == ModelKind::kEase) return fmt::format("ease, l2 {}", model.ease.l2);
  return fmt::format("graph_filter (GF-CF), rank {}, alpha {}", model.graph_filter.rank,
                     model.graph_filter.alpha);
}

/// Whether the run has its arrays, whole. Warns of damaged ones, which are then computed again.
bool is_complete(const Run& run, Console& console) {
  if (!run.has_fitted()) return false;
  try {
    run.read_fitted();
    return true;
  } catch (const DamagedCheckpoint& error) {
    console.warn(fmt::format("{}: the model is fitted again", error.what()));
    return false;
  }
}

/// Reports changed keys of a complete run, whose arrays and metrics stay. Throws ConfigError if the
/// arrays would be others.
void note_complete(const Config& fitted, const Config& config, Console& console) {
  const ModelKind kind = config.model.kind;
  std::vector<std::string> without_effect;
  for (const ConfigDifference& change : compare_configs(fitted, config)) {
    if (!reads_key(kind, change.key) || change.key == "train.threads" ||
        change.key == "train.device" || change.key == "data.path") {
      continue;
    }
    if (change.key == "train.seed") {
      throw ConfigError(
          fmt::format("the run was fitted with {} = {}, found {}: use another --out to fit it anew",
                      change.key, change.from, change.to));
    }
    without_effect.push_back(change.key);
  }
  console.line(fmt::format("nothing to do: {} is fitted", model_name(kind)));
  if (!without_effect.empty()) {
    console.line(
        fmt::format("these changes have no effect any more: {}", fmt::join(without_effect, ", ")));
  }
}

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
void write_run(Plan& plan, const TrainOptions& options, const Dataset& data,
               const EpochRecord& record, TensorFile arrays, Console& console) {
  if (plan.run) {
    plan.run->forget_after({.epoch = -1});  // all metrics
    plan.run->set_config(plan.config);
  } else {
    plan.run = create_run(plan, options, data);
    console.open_log(plan.run->log_file());
  }
  plan.run->append(record);
  plan.run->write_fitted(std::move(arrays));  // last: it makes the run complete
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
    if (!reads_key(config.model.kind, given.key)) unread.push_back(given.key);
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
  if (plan.run && is_complete(*plan.run, console)) {
    note_complete(plan.run->config(), config, console);
    return kDone;
  }
  for (const std::string& note : data.notes) console.line(note);
  const std::unique_ptr<Backend> backend = make_backend("cpu", config.threads);
  const DeviceDescription device = backend->describe();
  console.line(
      fmt::format("{} on cpu: {} ({})", describe_fit(config.model), device.name, device.details));
  fit_ks(config, data, console);
  expect_fittable(data, config);
  check_places(plan, options, data);
  console.line(memory_line(estimate_memory({}, data, config), *backend));
  console.line(
      fmt::format("The model takes {} on disk.", format_bytes(array_bytes(data, config.model))));

  const Clock::time_point begin = Clock::now();
  FitProgress progress(console);
  const std::unique_ptr<ItemScorer> scorer = fit_in_memory(data, config, progress);
  EpochRecord record;
  record.loss_name.clear();
  record.seconds = seconds_since(begin);
  record.best = true;
  progress(fmt::format("{}: ranking", model_name(config.model.kind)));
  record.metrics = evaluate_selection_split(*scorer, data, config);
  TensorFile arrays = scorer->take_arrays();
  note_rank(config, arrays, console);
  signals.note_from_now_on();  // writing is not interrupted
  write_run(plan, options, data, record, std::move(arrays), console);
  console.line(summary_of(record, config));
  return kDone;
}

}  // namespace tern::cli
