// tern train: data in, a run directory out.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/cli/commands.hpp"
#include "host/cli/complete_run.hpp"
#include "host/cli/config_options.hpp"
#include "host/cli/console.hpp"
#include "host/cli/ending.hpp"
#include "host/cli/output.hpp"
#include "host/cli/resume.hpp"
#include "host/cli/search.hpp"
#include "host/cli/signals.hpp"
#include "host/cli/training_job.hpp"
#include "host/cli/verify_determinism.hpp"
#include "host/support/parallel.hpp"
#include "host/train/metric_sums.hpp"
#include "tern/device.hpp"
#include "tern/error.hpp"
#include "tern/memory.hpp"
#include "tern/model.hpp"
#include "tern/run.hpp"
#include "tern/trainer.hpp"

namespace tern::cli {
namespace {

namespace fs = std::filesystem;

struct TrainOptions {
  ConfigOptions config;
  std::string out;
  CLI::Option* resume = nullptr;
  std::string resumed;
  bool overwrite = false;
  bool nondeterministic = false;
  bool verify_determinism = false;
  bool quiet = false;
  bool verbose = false;

  bool resumes() const { return resume->count() > 0; }
};

// runs/<data>-<model>-<n>, with the first n that is free.
fs::path free_run_path(const Config& config) {
  fs::path data = config.data_path == "-" ? "stdin" : config.data_path;
  data = fs::absolute(data).lexically_normal();
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
  const PropagationOptions& propagation = model.propagation;
  const bool plus = propagation.kind == PropagationKind::kLightGcnPlusPlus;
  std::string text(plus ? "lightgcn++" : model_name(model.kind));
  if (model.kind == ModelKind::kLightGcn) text += fmt::format(", L {}", model.layers);
  if (plus) {
    text += fmt::format(", alpha {}, beta {}, gamma {}", propagation.alpha, propagation.beta,
                        propagation.gamma);
  }
  if (model.contrast.kind == ContrastKind::kXSimGcl) {
    text += fmt::format(" with xsimgcl (layer {})", model.contrast.layer);
  }
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

// A list longer than the catalogue cannot be measured: the default lengths are adapted to a small
// catalogue, others are an error, before anything is written.
void fit_ks(Config& config, const Dataset& data, Console& console) {
  std::vector<int>& ks = config.evaluation.ks;
  const std::int64_t items = data.items.size();
  if (*std::max_element(ks.begin(), ks.end()) <= items) return;
  const Config defaults;
  if (ks == defaults.evaluation.ks && config.metric == defaults.metric) {
    std::erase_if(ks, [&](int k) { return k > items; });
    if (ks.empty()) ks.push_back(static_cast<int>(items));
    config.metric = fmt::format("ndcg@{}", ks.back());
    console.line(fmt::format("The data has only {} items: evaluation.ks becomes {}.", items,
                             fmt::join(ks, ", ")));
    return;
  }
  check_ks(config.evaluation, data.items.size());
}

// The run directory to resume.
std::string resumed_path(const TrainOptions& options) {
  if (options.overwrite) throw ConfigError("expected either --resume or --overwrite");
  const std::string& given = options.resumed;
  if (given.empty() && options.out.empty()) {
    throw ConfigError("--resume: the run is missing, expected --resume RUN or --out RUN --resume");
  }
  if (!given.empty() && !options.out.empty() && given != options.out) {
    throw ConfigError(fmt::format(
        "--resume names the run \"{}\" and --out \"{}\", expected one of them (the word after "
        "--resume is its run: put DATA before it)",
        given, options.out));
  }
  return given.empty() ? options.out : given;
}

// What to train and where, decided before data is read or anything is written.
struct Plan {
  Config config;
  std::string out;  // directory of a new run; empty: a new one below runs/
  // Of a run to resume:
  std::optional<Run> run;
  bool reads_own_copy = false;  // of its data
  std::vector<ConfigDifference> changes;
  std::optional<Run::SavedState> state;  // if it has been read already
};

Config resolve_config(const TrainOptions& options, Console& console) {
  std::vector<std::string> notes;
  Config config = options.config.resolve(&notes);
  for (const std::string& note : notes) console.line(note);
  if (options.nondeterministic) config.reproducibility = Reproducibility::kNone;
  return config;
}

// The settings for resuming a run. Its own copy of the data is read unless DATA is given and there.
void resolve_resumed(Plan& plan, const TrainOptions& options, Console& console) {
  const Run& run = *plan.run;
  Config base = run.config();
  base.data_path.clear();
  std::vector<std::string> notes = run.config_notes();
  plan.config = options.config.apply_to(base, &notes);
  for (const std::string& note : notes) console.line(note);
  if (options.nondeterministic) plan.config.reproducibility = Reproducibility::kNone;
  std::string& data = plan.config.data_path;
  const bool given = !data.empty();
  if (!given) data = run.config().data_path;
  if (data != "-") data = fs::absolute(data).lexically_normal().string();
  std::error_code unknown;
  const bool gone = data == run.config().data_path && data != "-" && !fs::exists(data, unknown);
  plan.reads_own_copy = run.holds_data() && (!given || gone);
  if (plan.reads_own_copy && given) {
    console.line(fmt::format("{} is gone: the run's own copy of the data is used", data));
  }
  plan.changes = allowed_changes(run.config(), plan.config);
}

// The same command, repeated as by a scheduler, first begins a run and then resumes it.
Plan plan_resumed(const TrainOptions& options, Console& console) {
  Plan plan;
  plan.out = resumed_path(options);
  if (Run::is_run(plan.out)) {
    plan.run = Run::resume(plan.out);
    console.open_log(plan.run->log_file());
    if (!plan.run->locked()) {
      console.warn(plan.out +
                   ": this file system has no locks: make sure that no other job writes there");
    }
    resolve_resumed(plan, options, console);
    return plan;
  }
  console.line(fmt::format("{} holds no run yet: starting one", plan.out));
  plan.config = resolve_config(options, console);
  return plan;
}

Plan make_plan(const TrainOptions& options, Console& console) {
  if (options.resumes()) return plan_resumed(options, console);
  // Checked before the data is read; Run::create() checks it again.
  if (!options.out.empty() && !options.overwrite && Run::is_run(options.out)) {
    throw Error(options.out +
                " holds a run already: --resume it, --overwrite it, or choose another --out");
  }
  Plan plan;
  plan.out = options.out;
  plan.config = resolve_config(options, console);
  return plan;
}

// Without --out, makes a new directory: the next number if another job was quicker.
Run create_run(const Plan& plan, const TrainOptions& options, const Dataset& data) {
  if (!plan.out.empty()) {
    return Run::create(plan.out, plan.config, data,
                       options.overwrite ? Run::Overwrite::kYes : Run::Overwrite::kNo);
  }
  for (;;) {
    const fs::path path = free_run_path(plan.config);
    std::error_code error;
    fs::create_directories(path.parent_path(), error);
    const bool made = fs::create_directory(path, error);
    if (made || error) return Run::create(path, plan.config, data);  // reports an error
  }
}

// The exit code of a run that is not to be trained on: it has all of its epochs, or the collapse
// monitor has stopped it. Only if this is possible is its state read.
std::optional<int> finished_code(Plan& plan, Console& console) {
  const std::optional<Run::Place> place = plan.run->newest_place();
  if (!place && plan.run->has_embeddings("best")) {
    throw DataError(plan.run->path().string(), 0,
                    "the run is trained, but its checkpoints are missing: put them back to resume "
                    "it, or train it anew with --overwrite");
  }
  const bool may_stop = plan.config.monitor.on_collapse == CollapseAction::kStop;
  if (!place || (place->epoch < plan.config.epochs && !may_stop)) return std::nullopt;
  plan.state = load_state(*plan.run, plan.changes, console);
  if (!plan.state) return std::nullopt;
  const TrainingProgress& at = plan.state->state.progress;
  if (may_stop && at.collapsed) {
    console.line(fmt::format(
        "nothing to do: after {} epoch{} the embeddings had collapsed, and monitor.on_collapse is "
        "stop; {}",
        at.epoch, at.epoch == 1 ? "" : "s", way_on(*plan.run)));
    return kFailed;
  }
  if (at.epoch < plan.config.epochs) return std::nullopt;
  console.line(fmt::format("nothing to do: the run has {} epochs, train.epochs is {}", at.epoch,
                           plan.config.epochs));
  return kDone;
}

void resume_run(Plan& plan, Trainer& trainer, Console& console) {
  std::optional<Run::SavedState> state = std::exchange(plan.state, std::nullopt);
  if (!state) state = load_state(*plan.run, plan.changes, console);
  resume(*plan.run, trainer, state ? &*state : nullptr, plan.changes, console);
  plan.run->set_config(plan.config);
}

int train_in_run(Run& run, Backend& backend, Trainer& trainer, const StopSignals& signals,
                 Console& console) {
  TrainingJob job(run, trainer, console, signals);
  const TrainingResult result = job.run();
  const std::string summary = ending(result, trainer.progress(), run);
  write_embeddings(run, backend, trainer.model(), console);
  console.line(summary);
  if (result.reason == StopReason::kCollapse) return kFailed;
  return result.reason == StopReason::kRequested ? kStopped : kDone;
}

// Allocates everything that the job keeps. Throws Error if memory or disk space is short.
std::unique_ptr<Trainer> rehearsed_trainer(Backend& backend, const Dataset& data,
                                           const Config& config, const Plan& plan,
                                           const MemoryEstimate& memory) {
  std::string finding = "out of memory";
  try {
    auto trainer = std::make_unique<Trainer>(backend, data, config);
    check_space(plan.out.empty() ? "runs" : plan.out, config, data, trainer->state_bytes());
    trainer->rehearse();
    return trainer;
  } catch (const MemoryError& error) {
    finding = error.what();
  } catch (const std::bad_alloc&) {
  }
  throw Error(fmt::format("not enough memory: {} ({})", memory_need(memory, backend), finding));
}

// The data to train on. A run of version 0.1 gets the copy that it lacks.
Dataset load_data(Plan& plan, Console& console) {
  const Config& config = plan.config;
  if (!plan.run)
    return load_dataset(config.data_path, config.data, feature_files_for(config.model));
  if (plan.reads_own_copy) return load_own_copy(*plan.run);
  Dataset data = load_dataset(config.data_path, config.data, feature_files_for(config.model));
  plan.run->check_data(data, config.data_path);
  if (!plan.run->holds_data()) {
    plan.run->keep_data(data);
    console.line(fmt::format("{} now holds a copy of its data", plan.run->path().string()));
  }
  return data;
}

int finish(const Run& run, int code) {
  print(run.path().string() + "\n");
  return code;
}

int train(const TrainOptions& options, StopSignals& signals, Console& console) {
  Plan plan = make_plan(options, console);
  Config& config = plan.config;
  const auto limit = limit_threads(config.threads);
  std::string notice;
  const std::unique_ptr<Backend> backend =
      make_backend(config.device, config.threads, &notice, config.reproducibility);
  if (!notice.empty()) console.line(notice);
  const Dataset data = load_data(plan, console);
  if (const std::optional<int> code = plan.run ? finished_code(plan, console) : std::nullopt) {
    complete_embeddings(*plan.run, *backend, data, console);
    return finish(*plan.run, *code);
  }
  describe(data, *backend, config, console);
  fit_ks(config, data, console);
  if (!plan.run) fit_batch_size(options.config, data, config);
  const MemoryEstimate memory = estimate_memory(memory_target(*backend), data, config);
  console.line(memory_line(memory, *backend));
  expect_memory(memory, *backend);
  if (!plan.run && searches(options.config)) {
    rehearsed_trainer(*backend, data, config, plan, memory);  // fails before minutes of trials
    search_recipe(options.config, *backend, data, config, console);
  }
  const std::unique_ptr<Trainer> trainer = rehearsed_trainer(*backend, data, config, plan, memory);
  // All checks are done: from here on files are written, and there is something to save.
  signals.note_from_now_on();
  if (plan.run) {
    resume_run(plan, *trainer, console);
  } else {
    plan.run = create_run(plan, options, data);
    console.open_log(plan.run->log_file());
  }
  return finish(*plan.run, train_in_run(*plan.run, *backend, *trainer, signals, console));
}

int verify(const TrainOptions& options, Console& console) {
  if (options.resumes() || options.overwrite || !options.out.empty()) {
    throw ConfigError(
        "--verify-determinism writes no run: expected no --out, --resume or --overwrite with it");
  }
  Config config = resolve_config(options, console);
  const auto limit = limit_threads(config.threads);
  const Dataset data = load_dataset(config.data_path, config.data, feature_files_for(config.model));
  for (const std::string& note : data.notes) console.line(note);
  fit_ks(config, data, console);
  return verify_determinism(config, data, console);
}

int train(const TrainOptions& options) {
  StopSignals signals;
  Console console(options.quiet     ? Console::Mode::kQuiet
                  : options.verbose ? Console::Mode::kVerbose
                                    : Console::Mode::kTalk);
  try {
    return options.verify_determinism ? verify(options, console) : train(options, signals, console);
  } catch (const std::exception& error) {
    console.log(Console::Level::kError, error.what());  // guarded() prints it
    throw;
  }
}

}  // namespace

Command add_train(CLI::App& program) {
  const auto options = std::make_shared<TrainOptions>();
  CLI::App* app = program.add_subcommand("train", "Learn embeddings from interactions");
  options->config.add_to(
      *app,
      "directory (with train.txt and test.txt, or interactions.tsv|csv), file or - (standard "
      "input) to train on; tables, adjacency lists and JSON lines are recognised (data.format "
      "decides); optional with --resume, which then trains on the run's own copy, or if --config "
      "has data.path");
  options->config.add_recipe(*app);
  options->config.add_short(*app, "--model", "model.kind");
  options->config.add_short(*app, "--device", "train.device");
  options->config.add_short(*app, "--epochs", "train.epochs");
  options->config.add_short(*app, "--seed", "train.seed");
  options->config.add_short(*app, "--threads", "train.threads");
  options->config.add_short(*app, "--on-nan", "train.on_nan");
  app->add_option("--out", options->out,
                  "directory of the run [runs/<data>-<model>-<n>, with the first free n]")
      ->type_name("RUN");
  options->resume =
      app->add_option("--resume", options->resumed,
                      "continue this run (or that of --out) where it was stopped, or for more "
                      "--epochs; if --out holds no run yet, start one")
          ->type_name("[RUN]")
          ->expected(0, 1);
  app->add_flag("--nondeterministic", options->nondeterministic,
                "let a GPU add in any order (train.reproducibility = none); no effect on a CPU");
  app->add_flag(
      "--verify-determinism", options->verify_determinism,
      "train only a few steps, several times (on a CPU also with 1, 2 and 3 threads), and "
      "compare all bits; nothing is written");
  app->add_flag("--overwrite", options->overwrite, "replace the run in --out");
  CLI::Option* quiet = app->add_flag("--quiet", options->quiet, "no messages but errors");
  app->add_flag("--verbose", options->verbose,
                "show norms, cosines, ranks and gradient norms of each epoch too")
      ->excludes(quiet);
  app->footer(
      "The directory of the run is printed on standard output, progress on standard error.\n"
      "On SIGINT, SIGTERM, SIGHUP or SIGUSR1 it finishes the step, writes a checkpoint and exits\n"
      "with 75; --resume continues from there, bit for bit. A second signal ends it at once.\n"
      "Precedence: defaults < --recipe < --config < --set < the options above.\n\n"
      "Recipes of --recipe:\n" +
      ConfigOptions::recipe_help() +
      "\n"
      "Keys of --config (TOML) and --set, with their defaults:\n" +
      ConfigOptions::key_help({""}));
  return {app, [options] { return train(*options); }};
}

}  // namespace tern::cli
