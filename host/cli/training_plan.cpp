#include "host/cli/training_plan.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "host/config/unread_keys.hpp"
#include "host/run/complete_run.hpp"
#include "host/run/resume.hpp"
#include "host/train/metric_sums.hpp"
#include "tern/error.hpp"
#include "tern/model.hpp"

namespace tern::cli {
namespace {

namespace fs = std::filesystem;

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

// Names keys that were set in vain. A model without training names those that it does not read.
void note_unread(const Config& base, const Config& config, Console& console) {
  if (is_fitted(config.model.kind)) return;
  for (const UnreadKey& unread : unread_keys(base, config)) {
    console.line(fmt::format("{} has no effect here: only {} reads it", unread.key, unread.reader));
  }
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
  if (!data.empty() && data != "-") data = fs::absolute(data).lexically_normal().string();
  std::error_code unknown;
  const bool gone = data == run.config().data_path && data != "-" && !fs::exists(data, unknown);
  plan.reads_own_copy = run.holds_data() && (!given || gone);
  if (plan.reads_own_copy && given) {
    console.line(fmt::format("{} is gone: the run's own copy of the data is used", data));
  }
  plan.changes = allowed_changes(run.config(), plan.config);
  note_unread(run.config(), plan.config, console);
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
  if (options.config.apply_to(Config()).data_path.empty()) {
    throw ConfigError(
        fmt::format("{} is no run: name a run to resume, or DATA to start one with", plan.out));
  }
  console.line(fmt::format("{} holds no run yet: starting one", plan.out));
  plan.config = resolve_config(options, console);
  return plan;
}

}  // namespace

Config resolve_config(const TrainOptions& options, Console& console) {
  std::vector<std::string> notes;
  Config config = options.config.resolve(&notes);
  for (const std::string& note : notes) console.line(note);
  if (options.nondeterministic) config.reproducibility = Reproducibility::kNone;
  note_unread(options.config.recipe_defaults(), config, console);
  return config;
}

Plan make_plan(const TrainOptions& options, Console& console) {
  if (options.resumes()) return plan_resumed(options, console);
  // Checked before the data is read; Run::create() checks it again.
  if (!options.out.empty() && !options.overwrite) Run::expect_no_run(options.out);
  Plan plan;
  plan.out = options.out;
  plan.config = resolve_config(options, console);
  return plan;
}

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

void fit_ks(Config& config, const Dataset& data, Console& console) {
  const NodeId items = data.items.size();
  const std::vector<int>& ks = config.evaluation.ks;
  if (*std::ranges::max_element(ks) <= items) return;
  if (shorten_default_ks(config, items)) {
    console.line(fmt::format("The data has only {} items: evaluation.ks becomes {}.", items,
                             fmt::join(ks, ", ")));
    return;
  }
  check_ks(config.evaluation, items);
}

void note_k(const Config& config, const Dataset& data, Console& console) {
  const NodeId items = data.items.size();
  if (config.loss.kind != LossKind::kSoftmaxAtK || config.loss.at_k.k <= items) return;
  console.line(fmt::format("The data has only {} items: loss.k counts as {}.", items, items));
}

void expect_room_for_run(const Plan& plan, const TrainOptions& options) {
  if (plan.out.empty()) {
    Run::expect_room_for_run(free_run_path(plan.config), Run::Overwrite::kNo);
  } else {
    Run::expect_room_for_run(plan.out,
                             options.overwrite ? Run::Overwrite::kYes : Run::Overwrite::kNo);
  }
}

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

}  // namespace tern::cli
