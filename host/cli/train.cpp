// tern train: data in, a run directory out.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>

#include "host/cli/commands.hpp"
#include "host/cli/config_options.hpp"
#include "host/cli/console.hpp"
#include "host/cli/exit_code.hpp"
#include "host/cli/format.hpp"
#include "host/cli/output.hpp"
#include "host/cli/progress.hpp"
#include "host/cli/signals.hpp"
#include "tern/device.hpp"
#include "tern/error.hpp"
#include "tern/run.hpp"
#include "tern/trainer.hpp"

namespace tern::cli {
namespace {

namespace fs = std::filesystem;

struct TrainOptions {
  ConfigOptions config;
  std::string out;
  bool overwrite = false;
  bool nondeterministic = false;
  bool quiet = false;
};

// runs/<data>-<model>-<n>, with the first n that is free.
fs::path free_run_path(const Config& config) {
  fs::path data = fs::absolute(config.data_path).lexically_normal();
  if (!data.has_filename()) data = data.parent_path();
  const std::string name = data.filename().string();
  const std::string stem = name.substr(0, name.find('.', 1));
  const std::string_view model = model_name(config.model.kind);
  for (int n = 1;; ++n) {
    fs::path path = fs::path("runs") / fmt::format("{}-{}-{}", stem, model, n);
    std::error_code ignored;
    if (!fs::exists(fs::symlink_status(path, ignored))) return path;
  }
}

std::string describe(const ModelOptions& model) {
  std::string text(model_name(model.kind));
  if (model.kind == ModelKind::kLightGcn) text += fmt::format(", L {}", model.layers);
  if (model.kind == ModelKind::kGcMc && !model.hidden.empty()) {
    text += fmt::format(", hidden {}", fmt::join(model.hidden, ", "));
  }
  return text + fmt::format(", D {}", model.width);
}

void describe(const Dataset& data, const Backend& backend, const Config& config, Console& console) {
  for (const std::string& note : data.notes) console.line(note);
  const DeviceDescription device = backend.describe();
  console.line(fmt::format("{} on {}: {} ({})", describe(config.model), backend.name(), device.name,
                           device.details));
}

// Before anything is written: a list longer than the catalogue cannot be measured. Where nobody
// asked for certain lengths, they follow a small catalogue instead.
void fit_ks(Config& config, const Dataset& data, Console& console) {
  std::vector<int>& ks = config.evaluation.ks;
  const std::int64_t items = data.items.size();
  if (*std::max_element(ks.begin(), ks.end()) <= items) return;
  const Config defaults;
  if (ks == defaults.evaluation.ks && config.metric == defaults.metric) {
    std::erase_if(ks, [&](int k) { return k > items; });
    if (ks.empty()) ks.push_back(static_cast<int>(items));
    config.metric = fmt::format("ndcg@{}", ks.back());
    console.line(fmt::format("The data has only {} items: evaluation.ks is {} here.", items,
                             fmt::join(ks, ", ")));
    return;
  }
  for (const int k : ks) {
    if (k > items) {
      throw ConfigError(fmt::format("evaluation.ks: found {}, but the data has only {} items", k,
                                    grouped(items)));
    }
  }
}

// What is kept whatever ended the training: the parameters as they are, and the best ones.
void write_checkpoints(Run& run, Trainer& trainer, const TrainingResult& result) {
  run.write_checkpoint("last", trainer.last(), result.epochs);
  const bool selected = result.best_epoch > 0;
  run.write_checkpoint("best", trainer.best(), selected ? result.best_epoch : result.epochs);
}

std::string ending(const TrainingResult& result, const Config& config) {
  std::string text =
      fmt::format("trained {} epoch{}", result.epochs, result.epochs == 1 ? "" : "s");
  if (result.reason == StopReason::kPatience) {
    text += fmt::format(" ({} evaluations in a row without a better {})", config.patience,
                        config.metric);
  }
  if (result.reason == StopReason::kCollapse) {
    text = "stopped because embeddings collapsed (monitor.on_collapse): " + text;
  }
  if (result.reason == StopReason::kRequested) text = "stopped by a signal: " + text;
  if (result.best_epoch > 0 && result.best_metric > 0.0) {
    text += fmt::format("; best {} on {}: {}, of epoch {}", config.metric,
                        config.select_on == SelectionSplit::kTest ? "test" : "validation",
                        brief(result.best_metric), result.best_epoch);
  }
  return text;
}

// Said before hours of reading and training, not after. Run::create() looks again.
void check_out(const TrainOptions& options) {
  std::error_code ignored;
  if (!options.overwrite && fs::exists(fs::path(options.out) / "run.json", ignored)) {
    throw Error(options.out + " holds a run already: choose another --out, or --overwrite it");
  }
}

int train(const TrainOptions& options) {
  Console console(options.quiet ? Console::Mode::kQuiet : Console::Mode::kTalk);
  Config config = options.config.resolve();
  if (options.nondeterministic) config.reproducibility = Reproducibility::kNone;
  if (!options.out.empty()) check_out(options);
  std::string notice;
  const std::unique_ptr<Backend> backend =
      make_backend(config.device, config.threads, &notice, config.reproducibility);
  if (!notice.empty()) console.line(notice);
  const Dataset data = load_dataset(config.data_path, config.data);
  describe(data, *backend, config, console);
  fit_ks(config, data, console);
  Trainer trainer(*backend, data, config);
  // Only now, when nothing is left that could be refused, is an earlier run overwritten.
  Run run = Run::create(options.out.empty() ? free_run_path(config) : fs::path(options.out), config,
                        data, options.overwrite ? Run::Overwrite::kYes : Run::Overwrite::kNo);

  const StopSignals signals;
  Progress progress(console, config.epochs, config.metric);
  TrainerCallbacks callbacks;
  callbacks.on_note = [&](std::string_view note) { console.line(note); };
  callbacks.on_step = [&](const StepProgress& step) { progress.on_step(step); };
  callbacks.on_epoch = [&](const EpochRecord& record) {
    run.append(record);
    if (record.best) run.write_checkpoint("best", trainer.best(), record.epoch);
    progress.on_epoch(record);
  };
  callbacks.should_stop = [&] { return signals.received(); };
  const TrainingResult result = trainer.run(callbacks);
  write_checkpoints(run, trainer, result);

  console.line(ending(result, config));
  Output out;
  out.write(run.path().string() + "\n");
  out.finish();
  if (result.reason == StopReason::kCollapse) return kFailed;
  return result.reason == StopReason::kRequested ? kStopped : kDone;
}

}  // namespace

Command add_train(CLI::App& program) {
  const auto options = std::make_shared<TrainOptions>();
  CLI::App* app = program.add_subcommand("train", "Learn embeddings from interactions");
  options->config.add_to(
      *app,
      "directory (train.txt, test.txt; or interactions.tsv|csv) or file to train "
      "on; may be left out where --config has data.path");
  options->config.add_short(*app, "--model", "model.kind");
  options->config.add_short(*app, "--device", "train.device");
  options->config.add_short(*app, "--epochs", "train.epochs");
  options->config.add_short(*app, "--seed", "train.seed");
  options->config.add_short(*app, "--threads", "train.threads");
  app->add_option("--out", options->out,
                  "directory to keep the run in [runs/<data>-<model>-<n>, the first n not taken]")
      ->type_name("RUN");
  app->add_flag("--nondeterministic", options->nondeterministic,
                "let a GPU add in any order (train.reproducibility = none); no effect on a CPU");
  app->add_flag("--overwrite", options->overwrite, "replace the run that --out holds");
  app->add_flag("--quiet", options->quiet, "no messages but errors");
  app->footer(
      "The directory of the run is printed on standard output, progress on standard error.\n"
      "SIGINT or SIGTERM: the step is finished, the checkpoint `last` written, exit code 75.\n"
      "Precedence: defaults < --config < --set < the options above.\n\n"
      "Keys of --config (TOML) and --set, with their defaults:\n" +
      ConfigOptions::key_help({""}));
  return {app, [options] { return train(*options); }};
}

}  // namespace tern::cli
