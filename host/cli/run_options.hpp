#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "host/cli/console.hpp"
#include "tern/backend.hpp"
#include "tern/dataset.hpp"
#include "tern/model.hpp"
#include "tern/run.hpp"

namespace tern::cli {

/// The options of every subcommand that reads a run.
struct RunOptions {
  std::string path;
  std::string checkpoint = "best";
  std::string device = "auto";
  int threads = 0;
  bool quiet = false;

  void add_to(CLI::App& app);
  Console::Mode console_mode() const {
    return quiet ? Console::Mode::kQuiet : Console::Mode::kTalk;
  }
};

/// Feature tables of nodes that were unknown in training; empty: none.
struct NewNodeOptions {
  std::string users;
  std::string items;

  void add_to(CLI::App& app);
};

/// A trained model with its data, graph and backend; the final embeddings are computed.
class LoadedRun {
 public:
  /// Throws DataError if the run is damaged or its data has changed, and DeviceError.
  LoadedRun(const RunOptions& options, Console& console, const NewNodeOptions& new_nodes = {});

  const Run& run() const { return run_; }
  /// The run's data; new nodes are the last ones of their side.
  const Dataset& data() const { return data_; }
  Backend& backend() { return *backend_; }
  const Graph& train_graph() const { return train_; }
  std::string_view model_name() const { return model_->name(); }
  /// "best" or "last", and its epoch.
  const std::string& checkpoint() const { return checkpoint_; }
  int epoch() const { return epoch_; }
  const Matrix& embeddings(Side side) const { return model_->embeddings(side); }
  /// The same on the host, (nodes, D) row-major.
  std::vector<float> download(Side side);

 private:
  void add_nodes(Side side, const std::string& file, TensorFile& parameters);

  // In order of construction: later members refer to earlier ones.
  Console& console_;
  Run run_;
  std::string checkpoint_;
  Dataset data_;
  std::unique_ptr<Backend> backend_;
  Graph train_;
  Triplets no_triplets_;
  std::unique_ptr<Model> model_;
  int epoch_ = 0;
};

/// Throws ConfigError if k is above the number of candidates. what: their name, e.g. "items".
void check_k(std::int64_t k, std::int64_t candidates, std::string_view what);

/// -k of a subcommand that lists. Default: 20, or all candidates if there are fewer.
class ListLength {
 public:
  void add_to(CLI::App& app, const std::string& help);
  /// Throws ConfigError like check_k().
  std::int64_t resolve(std::int64_t candidates, std::string_view what) const;

 private:
  std::int64_t k_ = 20;
  CLI::Option* given_ = nullptr;
};

}  // namespace tern::cli
