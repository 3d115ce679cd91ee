#pragma once

#include <CLI/CLI.hpp>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/cli/console.hpp"
#include "host/serve/ranking_source.hpp"
#include "host/support/parallel.hpp"
#include "host/train/item_scorer.hpp"
#include "tern/backend.hpp"
#include "tern/dataset.hpp"
#include "tern/model.hpp"
#include "tern/run.hpp"

namespace tern::cli {

/// The options of every subcommand that reads a run.
struct RunOptions {
  std::string path;
  std::string checkpoint = "best";
  CLI::Option* checkpoint_given = nullptr;
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

/// A run that is read. Everything is loaded, computed or opened when it is first asked for, so that
/// a command takes only the time of what it needs.
class LoadedRun final : public RankingSource {
 public:
  /// Throws DataError if the run is damaged, and DeviceError.
  LoadedRun(const RunOptions& options, Console& console, const NewNodeOptions& new_nodes = {});

  const Run& run() const { return run_; }
  std::string_view model_name() const { return tern::model_name(run_.config().model.kind); }
  /// "best" or "last", and its epoch. "last" too if a best one was wanted and none was selected.
  const std::string& checkpoint() const { return options_.checkpoint; }
  int epoch() const { return epoch_; }

  /// Whether the run's model was fitted without training. It has a scorer instead of embeddings:
  /// neither backend(), model() nor embeddings() are then of use.
  bool is_fitted() const override { return tern::is_fitted(run_.config().model.kind); }
  const ItemScorer& scorer() override;
  ScoreKind score_kind() const override { return run_.config().evaluation.score; }
  const Config& config() const override { return run_.config(); }
  /// A new scorer, read from the file. Throws DataError, with the way to fit the model again, if the
  /// file is damaged or holds something else.
  std::unique_ptr<ItemScorer> read_scorer();

  /// The names of one side.
  const Vocabulary& names(Side side) override;
  /// Whether the model reads features of the nodes of this side, so that it can place those that have
  /// no interactions.
  bool reads_features_of(Side side) override;
  /// The run's data without features; new nodes are the last ones of their side.
  const Dataset& data() override;
  Backend& backend() override;
  /// Call it before backend(): for so little work, --device auto means the CPU.
  void expect_queries(std::int64_t queries);
  const Graph& train_graph() override;
  TensorFile parameters() override;
  /// With the parameters of the checkpoint; the final embeddings are computed.
  Model& model();

  /// Final embeddings on the backend.
  const Matrix& embeddings(Side side) override;
  /// The same on the host.
  HostTable host_table(Side side) override;
  /// D.
  std::int64_t width() override;

 private:
  void add_nodes(Side side, const std::string& file);
  void load_features();

  Console& console_;
  RunOptions options_;
  std::unique_ptr<ThreadLimit> limit_;
  Run run_;
  int epoch_ = 0;
  std::optional<FinalEmbeddings> stored_;  // none: the model computes them
  std::optional<TensorFile> parameters_;
  std::optional<Dataset> data_;
  bool has_features_ = false;
  // By side, like names_; without its own copy of the data, a run loads all of it to answer.
  std::array<std::optional<bool>, 2> reads_features_of_;
  std::array<std::optional<Vocabulary>, 2> names_;
  // In order of construction: later members refer to earlier ones.
  std::unique_ptr<Backend> backend_;
  std::array<std::optional<Matrix>, 2> uploaded_;
  std::optional<Graph> train_;
  Triplets no_triplets_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<ItemScorer> scorer_;
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
