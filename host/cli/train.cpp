// tern train: data in, a run directory out.

#include <fmt/format.h>

#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/backend/device.hpp"
#include "host/cli/commands.hpp"
#include "host/cli/config_options.hpp"
#include "host/cli/console.hpp"
#include "host/cli/ending.hpp"
#include "host/cli/fitting.hpp"
#include "host/cli/following.hpp"
#include "host/cli/job_report.hpp"
#include "host/cli/output.hpp"
#include "host/cli/program.hpp"
#include "host/cli/progress.hpp"
#include "host/cli/ranks.hpp"
#include "host/cli/rehearsal.hpp"
#include "host/cli/search.hpp"
#include "host/cli/shared_job.hpp"
#include "host/cli/signals.hpp"
#include "host/cli/training_plan.hpp"
#include "host/cli/verify_determinism.hpp"
#include "host/config/batch.hpp"
#include "host/run/complete_run.hpp"
#include "host/run/job_description.hpp"
#include "host/run/resume.hpp"
#include "host/run/training_job.hpp"
#include "host/support/parallel.hpp"
#include "tern/device.hpp"
#include "tern/error.hpp"
#include "tern/memory.hpp"
#include "tern/run.hpp"
#include "tern/trainer.hpp"

namespace tern::cli {
namespace {

void describe(const Dataset& data, const Backend& backend, const Config& config, Console& console) {
  for (const std::string& note : data.notes) console.line(note);
  console.line(describe_job(config, backend));
}

// The exit code of a run that is not to be trained on: it has all of its epochs, or the collapse
// monitor has stopped it.
std::optional<int> finished_code(Plan& plan, Console& console) {
  const Finished finished =
      how_finished(*plan.run, plan.config, plan.changes, log_to(console), plan.state);
  if (finished == Finished::kNo) return std::nullopt;
  const int epochs = plan.state->state.progress.epoch;
  if (finished == Finished::kCollapse) {
    console.line(fmt::format(
        "nothing to do: after {} epoch{} the embeddings had collapsed, and monitor.on_collapse is "
        "stop; {}",
        epochs, epochs == 1 ? "" : "s", way_on(*plan.run)));
    return kFailed;
  }
  console.line(fmt::format("nothing to do: the run has {} epochs, train.epochs is {}", epochs,
                           plan.config.epochs));
  return kDone;
}

void resume_run(Plan& plan, Trainer& trainer, Console& console, Ranks& ranks) {
  const JobLog log = log_to(console);
  std::optional<Run::SavedState> state = std::exchange(plan.state, std::nullopt);
  if (!state) state = load_state(*plan.run, plan.changes, log);
  resume_training(*plan.run, trainer, state ? &*state : nullptr, plan.changes, log, ranks.size());
  plan.run->set_config(plan.config);
  std::optional<TrainingState> shared;
  if (state) shared = std::move(state->state);
  ranks.share(shared);
}

int train_in_run(Run& run, Backend& backend, std::unique_ptr<Trainer> trainer,
                 const StopSignals& signals, Console& console, Ranks& ranks) {
  const Dataset& data = trainer->data();
  const auto train = [&] {
    Progress progress(console, words_of(run.config()), trainer->progress());
    return TrainingJob(run, *trainer, report_job(progress, console, signals), &ranks).run();
  };
  const TrainingResult result = train();
  const std::string summary = ending(result, trainer->progress(), run);
  if (ranks.several()) {
    // The leader alone reads the best checkpoint: it computes the embeddings from whole tables, which take
    // the place of its trainer's.
    trainer.reset();
    complete_embeddings(run, *make_cpu_backend(), data, log_to(console));
  } else {
    write_embeddings(run, backend, trainer->model(), log_to(console));
  }
  console.line(summary);
  return exit_code(result);
}

// Prints first: once a rank ends with another code than 0, a launcher such as mpirun kills all.
int finish(const Run& run, int code, Ranks& ranks) {
  print(run.path().string() + "\n");
  ranks.wait_for_all();
  return code;
}

int train(const TrainOptions& options, StopSignals& signals, Console& console, Ranks& ranks) {
  Plan plan = make_plan(options, console);
  Config& config = plan.config;
  expect_carried(config, ranks.size());
  announce_job(ranks, plan);
  const int threads = ranks.share_threads(config.threads);
  const auto limit = limit_threads(threads);
  if (is_fitted(config.model.kind)) {
    const int code = fit_run(plan, options, signals, console);
    return finish(*plan.run, code, ranks);
  }
  const std::unique_ptr<Backend> backend = open_training_backend(config, threads, console, ranks);
  const Dataset data = load_data(plan, console);
  ranks.expect_same_data(data, config);
  if (const std::optional<int> code = plan.run ? finished_code(plan, console) : std::nullopt) {
    announce(ranks, {Order::Kind::kEnd, config, {}, *code});
    complete_embeddings(*plan.run, ranks.several() ? *make_cpu_backend() : *backend, data,
                        log_to(console));
    return finish(*plan.run, *code, ranks);
  }
  describe(data, *backend, config, console);
  if (ranks.several()) console.line(ranks.describe());
  fit_ks(config, data, console);
  note_k(config, data, console);
  if (!plan.run) {
    fit_batch_size(options.config, data, config);
    fit_weight_temperature(options.config, config);
  }
  const MemoryEstimate memory = training_memory(*backend, data, config, ranks);
  console.line(memory_line(memory, *backend) + (ranks.several() ? ", for each rank" : ""));
  std::vector<SearchGrid> grids;
  if (!plan.run && searches(options.config)) grids = open_grids(options.config, config);
  if (!grids.empty()) {
    announce(ranks, {Order::Kind::kSearch, config, grids, 0});
    expect_memory(memory, *backend, ranks);
    rehearsed_trainer(*backend, data, config, &plan.out, memory);  // fails before minutes of trials
    search_recipe(options.config.recipe()->name, grids, *backend, data, config, console);
  }
  announce(ranks, {Order::Kind::kTrain, config, {}, 0});
  if (grids.empty()) expect_memory(memory, *backend, ranks);
  std::unique_ptr<Trainer> trainer = rehearsed_trainer(*backend, data, config, &plan.out, memory);
  // All checks are done: from here on files are written, and there is something to save.
  signals.note_from_now_on();
  if (plan.run) {
    resume_run(plan, *trainer, console, ranks);
  } else {
    plan.run = create_run(plan, options, data);
    console.open_log(plan.run->log_file());
    std::optional<TrainingState> none;
    ranks.share(none);
  }
  ranks.share_run(plan.run->path().string());
  const int code = train_in_run(*plan.run, *backend, std::move(trainer), signals, console, ranks);
  return finish(*plan.run, code, ranks);
}

int verify(const TrainOptions& options, Console& console, Ranks& ranks) {
  if (options.resumes() || options.overwrite || !options.out.empty()) {
    throw ConfigError(
        "--verify-determinism writes no run: expected no --out, --resume or --overwrite with it");
  }
  Config config = resolve_config(options, console);
  expect_carried(config, ranks.size());
  if (is_fitted(config.model.kind)) prepare_fit(options, config, console);
  announce_verification(ranks, config);
  const auto limit = limit_threads(config.threads);
  const Dataset data = load_dataset(config.data_path, config.data, feature_files_for(config.model));
  ranks.expect_same_data(data, config);
  for (const std::string& note : data.notes) console.line(note);
  fit_ks(config, data, console);
  announce(ranks, {Order::Kind::kVerify, config, {}, 0});
  const int code = verify_determinism(config, data, console, ranks);
  ranks.wait_for_all();
  return code;
}

// reason: set to that of the exception with which the job ends.
int train(const TrainOptions& options, StopSignals& signals, Ranks& ranks, std::string& reason) {
  Console console(options.quiet || !ranks.leads() ? Console::Mode::kQuiet
                  : options.verbose               ? Console::Mode::kVerbose
                                                  : Console::Mode::kTalk);
  try {
    if (!ranks.leads()) return follow(signals, console, ranks);
    if (options.verify_determinism) return verify(options, console, ranks);
    return train(options, signals, console, ranks);
  } catch (const distributed::ReportedLoss&) {
    throw;
  } catch (const distributed::LostRank& loss) {
    const std::string message = loss.what() + ranks.way_on();
    console.log(Console::Level::kError, message);
    throw distributed::LostRank(message, loss.code());
  } catch (const std::exception& error) {
    reason = error.what();
    console.log(Console::Level::kError, error.what());  // guarded() prints it
    throw;
  }
}

int train(const TrainOptions& options) {
  StopSignals signals;  // first: ranks may wait for each other for a minute
  Ranks ranks(options.timeout);
  std::string reason;
  const auto job = [&] { return train(options, signals, ranks, reason); };
  if (!ranks.several()) return job();
  // Print first: once another rank ends, a launcher such as mpirun kills all.
  const int code = guarded(job);
  ranks.set_reported();
  if (!reason.empty()) ranks.fail(reason, code);
  return code;
}

}  // namespace

Command add_train(CLI::App& program) {
  const auto options = std::make_shared<TrainOptions>();
  CLI::App* app = program.add_subcommand("train", "Train or fit a model on interactions");
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
  app->add_option("--timeout", options->timeout,
                  "of several ranks: end the job if one waits this long for another one; 0: never")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
  CLI::Option* quiet = app->add_flag("--quiet", options->quiet, "no messages but errors");
  app->add_flag("--verbose", options->verbose,
                "show norms, cosines, ranks and gradient norms of each epoch too")
      ->excludes(quiet);
  app->footer(
      "The directory of the run is printed on standard output, progress on standard error.\n"
      "On SIGINT, SIGTERM, SIGHUP or SIGUSR1 it finishes the step, writes a checkpoint and exits\n"
      "with 75; --resume continues from there, bit for bit. A second signal ends it at once.\n"
      "ease and graph_filter are fitted in one go, on the CPU: a signal ends the fit, and nothing\n"
      "is written. Keys of training have no effect on them.\n"
      "Several ranks train one job together under mpirun, srun, or with TERN_RANK, TERN_RANKS and\n"
      "TERN_MASTER=host:port set, a part of the columns each: lightgcn, mf and gcmc on CPUs; with\n"
      "--device cuda, lightgcn and mf with bpr on a GPU each.\n"
      "If a rank is lost, or one waits for it longer than --timeout, all end within 10 seconds.\n"
      "Precedence: defaults < --recipe < --config < --set < the options above.\n\n"
      "Recipes of --recipe (tern inspect --recipe NAME prints one as TOML):\n" +
      ConfigOptions::recipe_help() +
      "\n"
      "Keys of --config (TOML) and --set, with their defaults:\n" +
      ConfigOptions::key_help({""}));
  return {app, [options] { return train(*options); }};
}

}  // namespace tern::cli
