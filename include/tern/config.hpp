#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tern/backend.hpp"
#include "tern/dataset.hpp"
#include "tern/sampling.hpp"

namespace tern {

enum class ModelKind : std::uint8_t { kLightGcn, kMatrixFactorization };
enum class OptimizerKind : std::uint8_t { kAdam, kSgd };
/// Which split the best epoch is chosen on. Choosing on test is what the LightGCN papers do.
enum class SelectionSplit : std::uint8_t { kValid, kTest };

struct ModelOptions {
  ModelKind kind = ModelKind::kLightGcn;
  /// D, and L (ignored by matrix factorisation).
  int width = 64;
  int layers = 3;
  /// Layer-0 embeddings start as N(0, init_std²).
  double init_std = 0.1;
};

struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::kAdam;
  AdamOptions adam;
  SgdOptions sgd;
};

struct EvaluationOptions {
  std::vector<int> ks{10, 20};
};

/// Everything that a training job depends on besides its data. One TOML file describes it; the
/// key of a field is its place here, e.g. train.batch_size, optimizer.learning_rate.
struct Config {
  /// The directory or file that the job was trained on; absolute in a run directory.
  std::string data_path;
  DataOptions data;
  ModelOptions model;
  /// λ of the L2 penalty on the layer-0 rows of each triplet.
  double l2 = 1e-4;
  SamplingOptions sampling;
  OptimizerOptions optimizer;
  EvaluationOptions evaluation;
  int epochs = 100;
  std::int64_t batch_size = 2048;
  Seed seed{0};
  /// Epochs between two evaluations; 0: only after the last.
  int evaluate_every = 5;
  /// Evaluations without a better metric before training stops; 0: never.
  int patience = 10;
  /// The metric that chooses the best epoch, "name@k", greater is better.
  std::string metric = "ndcg@20";
  SelectionSplit select_on = SelectionSplit::kValid;
  std::string device = "auto";
  /// 0: as many as the machine has.
  int threads = 0;
  /// kNone lets a GPU add in any order, which can be quicker and is never repeatable to the bit.
  Reproducibility reproducibility = Reproducibility::kBitwise;
};

/// One key of the configuration, for --help and for messages.
struct ConfigKey {
  std::string key;
  std::string type;  // "integer", "number", "string", "one of a|b", "list of integers"
  std::string default_value;
  std::string help;
};
const std::vector<ConfigKey>& config_keys();

/// Sets one key from its text as TOML would write it (strings may go without quotes). Throws
/// ConfigError on an unknown key (naming the nearest known one), a wrong type, a value out of
/// range.
void set_config(Config& config, std::string_view key, std::string_view value);
/// Reads a TOML file over the defaults, or over what config holds. Throws ConfigError with
/// file:line.
void read_config(Config& config, const std::filesystem::path& path);
/// The fully resolved configuration as TOML; read_config gives back an equal one.
std::string write_config(const Config& config);
/// Checks what no single key can tell (such as a metric's k that is not evaluated).
void validate(const Config& config);

}  // namespace tern
