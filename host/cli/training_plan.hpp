#pragma once

#include <optional>
#include <string>
#include <vector>

#include "host/cli/config_options.hpp"
#include "host/cli/console.hpp"
#include "tern/config.hpp"
#include "tern/dataset.hpp"
#include "tern/run.hpp"

namespace tern::cli {

/// The options of tern train.
struct TrainOptions {
  ConfigOptions config;
  std::string out;
  CLI::Option* resume = nullptr;
  std::string resumed;
  bool overwrite = false;
  bool nondeterministic = false;
  bool verify_determinism = false;
  double timeout = 1800.0;  // seconds, for several ranks
  bool quiet = false;
  bool verbose = false;

  bool resumes() const { return resume->count() > 0; }
};

/// The job and its place, decided before data is read or anything is written.
struct Plan {
  Config config;
  std::string out;  // directory of a new run; empty: a new one below runs/
  // If a run is resumed:
  std::optional<Run> run;
  bool reads_own_copy = false;  // of its data
  std::vector<ConfigDifference> changes;
  std::optional<Run::SavedState> state;  // if it has been read already
};

/// The configuration of a new run, with its notes on the console. Throws ConfigError.
Config resolve_config(const TrainOptions& options, Console& console);

/// Throws ConfigError, Error if --out holds a run already, and as Run::resume() does.
Plan make_plan(const TrainOptions& options, Console& console);

/// The data to train on. A run of version 0.1 gets the copy that it lacks.
Dataset load_data(Plan& plan, Console& console);

/// A list longer than the catalogue cannot be measured: the default lengths are adapted to a small
/// catalogue, others are an error, before anything is written.
void fit_ks(Config& config, const Dataset& data, Console& console);

/// Reports that loss.k is larger than the number of items, which then replaces it.
void note_k(const Config& config, const Dataset& data, Console& console);

/// Throws Error if create_run() cannot make its directory, for jobs that create a run at their end.
void expect_room_for_run(const Plan& plan, const TrainOptions& options);

/// Makes the directory of a new run. Without --out, the next free one below runs/.
Run create_run(const Plan& plan, const TrainOptions& options, const Dataset& data);

}  // namespace tern::cli
