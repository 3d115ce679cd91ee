#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tern/backend.hpp"
#include "tern/baselines.hpp"
#include "tern/dataset.hpp"
#include "tern/sampling.hpp"

namespace tern {

enum class ModelKind : std::uint8_t {
  kLightGcn,
  kMatrixFactorization,
  kGcMc,
  // Without training: a user's items are scored by their neighbours, see tern/baselines.hpp.
  kEase,
  kGraphFilter,  // GF-CF
};
/// The inputs of a gcmc encoder on each side. Auto: the side's features if it has any, else learned
/// ids.
enum class InputKind : std::uint8_t { kAuto, kFeatures, kIds, kBoth };
/// How learned embeddings of ids start.
enum class EmbeddingInit : std::uint8_t {
  kNormal,  // N(0, init_std²)
  kXavier,  // U(-a, a], a = sqrt(6 / (rows of the table + D))
};
enum class OptimizerKind : std::uint8_t { kAdam, kSgd };
/// The split on which the best epoch is chosen. The LightGCN papers choose it on the test split.
enum class SelectionSplit : std::uint8_t { kValid, kTest };

/// The name in configurations and checkpoints: "lightgcn", "mf", "gcmc", "ease", "graph_filter".
std::string_view model_name(ModelKind kind);
/// Whether the model is fitted in one go instead of trained (ease, graph_filter): it scores users by
/// their items and has no embeddings.
bool is_fitted(ModelKind kind);

/// A second loss beside the ranking loss, over perturbed layers of lightgcn.
enum class ContrastKind : std::uint8_t { kNone, kXSimGcl };

/// The keys are contrast.kind, contrast.weight, ...; that of layer is contrast.view_layer.
struct ContrastOptions {
  ContrastKind kind = ContrastKind::kNone;
  double weight = 0.2;       // λ
  double temperature = 0.2;  // τ
  double magnitude = 0.2;    // ε of the noise
  /// The layer that is contrasted with the final embeddings, from 1 to the number of layers.
  int layer = 1;
};

/// How lightgcn computes a layer from the one before, and joins the layers.
enum class PropagationKind : std::uint8_t {
  kLightGcn,          // E^l = D^-½ A D^-½ E^{l-1}, final = mean of E^0 .. E^L
  kLightGcnPlusPlus,  // E^l = D^-α A D^-β Ê^{l-1}, final = γ E^0 + (1 - γ) mean of E^1 .. E^L
};

/// α, β and γ are only for kLightGcnPlusPlus, and have its published values. Ê: rows of length 1.
struct PropagationOptions {
  PropagationKind kind = PropagationKind::kLightGcn;
  double alpha = 0.6;
  double beta = -0.1;
  double gamma = 0.2;  // in [0, 1)
};

struct ModelOptions {
  ModelKind kind = ModelKind::kLightGcn;
  /// D, the width of the final embeddings.
  int width = 64;
  /// L, the number of layers; only for lightgcn.
  int layers = 3;
  EmbeddingInit init = EmbeddingInit::kNormal;
  /// Only for kNormal.
  double init_std = 0.1;
  /// How the tables that the model propagates are read; the key is train.precision.
  GatherPrecision gather = GatherPrecision::kOwn;

  // Only for gcmc:

  /// The widths of all layers but the last, whose width is D. Empty: one layer.
  std::vector<int> hidden;
  InputKind inputs = InputKind::kAuto;
  /// The probability with which a training step drops an element of the messages (h in
  /// host/model/README.md).
  double dropout = 0.0;
  /// The share of nodes that receive no message in a training step, like a node without any
  /// interaction: the encoder learns to place such nodes by their own inputs.
  double message_dropout = 0.0;

  /// Only for lightgcn with at least one layer.
  ContrastOptions contrast;
  PropagationOptions propagation;

  /// Only for ease.
  EaseOptions ease;
  /// Only for graph_filter.
  GfCfOptions graph_filter;
};

struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::kAdam;
  AdamOptions adam;
  SgdOptions sgd;
};

/// What training does when embeddings collapse or blow up.
enum class CollapseAction : std::uint8_t { kIgnore, kWarn, kStop };

/// The monitors check the final embeddings of both sides between epochs.
struct MonitorOptions {
  CollapseAction on_collapse = CollapseAction::kWarn;
  /// Epochs between two checks; 0: only when metrics are measured.
  int every = 1;
  /// A mean norm above this is a collapse.
  double max_norm = 1e4;
  /// If the mean cosine of two different rows exceeds this, norms that have grown tenfold and go on
  /// growing are a collapse. A large cosine alone is none.
  double max_mean_cosine = 0.95;
  /// An effective rank below this is a collapse, unless it is more than a quarter of the rank at the
  /// start.
  double min_rank = 2.0;
};

/// What training does when a loss, gradient or parameter is not finite.
enum class OnNan : std::uint8_t {
  kStop,
  kRollback,  // continues from the last checkpoint with half the learning rate
};

/// When checkpoints are written during training. One is always written at the end.
struct CheckpointOptions {
  /// Epochs between two checkpoints; 0: only by time.
  int every_epochs = 0;
  /// Minutes between two checkpoints, also within an epoch; 0: only by epochs.
  double every_minutes = 10.0;
  /// How many of the newest checkpoints to keep.
  int keep = 2;
};

/// A key that is true or false.
enum class Switch : std::uint8_t { kOff, kOn };

/// What a run directory gets beside its own files.
struct LogOptions {
  /// Events and embeddings for TensorBoard, in the folder tensorboard.
  Switch tensorboard = Switch::kOff;
};

/// The score that a user's items are ranked by.
enum class ScoreKind : std::uint8_t {
  kDot,     // u·i of the final embeddings
  kCosine,  // u·i / (max(‖u‖, 1e-12) max(‖i‖, 1e-12))
};

struct EvaluationOptions {
  std::vector<int> ks{10, 20};
  ScoreKind score = ScoreKind::kDot;
};

enum class LossKind : std::uint8_t {
  kBpr,       // each positive against the triplet's own negative
  kSoftmax,   // each positive against the items of the batch's other pairs, or sampled ones
  kDirectAu,  // pairs close together, users and items each spread over the sphere
  kCcl,       // each positive against sampled negatives, by cosines with a margin
  /// softmax, in which pairs count by their place in the user's ranking.
  kSoftmaxAtK,
};

/// The negatives of the softmax loss.
enum class SoftmaxNegatives : std::uint8_t {
  kBatch,    // the items of the batch's other pairs
  kSampled,  // sampling.negatives_per_positive items of each pair's own
  kMixed,    // the items of the batch's other pairs, and the sampled ones of all pairs
};

/// A user's pairs are weighted against the user's k-th best score over all items.
struct AtKOptions {
  int k = 20;
  double weight_temperature = 1.0;  // τ_w of PairWeight
  /// Epochs between two measurements of the k-th best scores.
  int refresh_every = 5;
};

struct LossOptions {
  LossKind kind = LossKind::kBpr;
  SoftmaxNegatives negatives = SoftmaxNegatives::kBatch;
  /// Its temperature and negative weight also hold for sampled negatives, its weight for ccl.
  InBatchSoftmaxOptions softmax;
  /// Only for ccl: negatives of a smaller cosine do not count.
  double margin = 0.5;
  /// Only for directau: γ.
  double uniformity_weight = 1.0;
  /// Only for sl@k.
  AtKOptions at_k;
};

/// Everything that a training job depends on besides its data. One TOML file describes it; the
/// key of a field is its place here, e.g. train.batch_size, optimizer.learning_rate.
struct Config {
  /// The directory or file to train on. The configuration in a run directory has its absolute path.
  std::string data_path;
  DataOptions data;
  ModelOptions model;
  LossOptions loss;
  /// λ of the L2 penalty on the layer-0 rows of each triplet.
  double l2 = 1e-4;
  SamplingOptions sampling;
  OptimizerOptions optimizer;
  EvaluationOptions evaluation;
  int epochs = 100;
  /// B: triplets of a step; pairs if the loss sets a pair against several items (softmax, directau,
  /// ccl). If these are sampled, each pair has sampling.negatives_per_positive triplets.
  std::int64_t batch_size = 2048;
  Seed seed{0};
  /// Epochs between two evaluations; 0: only after the last epoch.
  int evaluate_every = 5;
  /// Evaluations without a better metric before training stops; 0: never.
  int patience = 10;
  /// The metric that chooses the best epoch, "name@k", greater is better.
  std::string metric = "ndcg@20";
  SelectionSplit select_on = SelectionSplit::kValid;
  MonitorOptions monitor;
  CheckpointOptions checkpoint;
  LogOptions log;
  OnNan on_nan = OnNan::kStop;
  /// Rollbacks before a run stops anyway.
  int max_rollbacks = 3;
  std::string device = "auto";
  /// Threads on a CPU; 0: all.
  int threads = 0;
  /// kNone lets a GPU add in any order: this can be faster, but is not repeatable to the bit.
  Reproducibility reproducibility = Reproducibility::kBitwise;
};

/// What a resumed run may do with a key.
enum class OnResume : std::uint8_t {
  kFixed,          // keep it: with another value the data or the parameters would not fit
  kBetweenEpochs,  // change it between epochs only: it decides the triplets of an epoch
  kChangesResult,  // change it; the result then differs from one uninterrupted training
  kNewSelection,   // change it; the best epoch is then selected anew
  kHarmless,       // change it: the parameters stay the same to the bit
};

/// One key of the configuration, for --help and for messages.
struct ConfigKey {
  std::string key;
  std::string type;  // "integer from 1 to 65536", "number above 0", "one of a|b"
  std::string default_value;
  std::string help;
  OnResume resume;
};
const std::vector<ConfigKey>& config_keys();

/// Sets one key from its text as TOML would write it (strings may go without quotes). Throws
/// ConfigError on an unknown key (with a suggestion), a wrong type, or a value out of range.
void set_config(Config& config, std::string_view key, std::string_view value);
/// Sets the keys that a TOML file contains; all other keys keep their values. Throws ConfigError
/// with file:line, and then changes nothing. Keys of earlier versions are ignored: *notes gets a
/// sentence for each, which names its successor.
void read_config(Config& config, const std::filesystem::path& path,
                 std::vector<std::string>* notes = nullptr);
/// The fully resolved configuration as TOML; read_config() restores an equal one.
std::string write_config(const Config& config);

/// A key with different values in two configurations, as TOML writes them.
struct ConfigDifference {
  std::string key;
  std::string from;
  std::string to;
  OnResume resume;
};
std::vector<ConfigDifference> compare_configs(const Config& from, const Config& to);

/// Checks every value against the range of its key, that evaluation.ks has the k of train.metric, and
/// that keys which exclude each other are not set together. Throws ConfigError naming the key, its value
/// and the expected range. Functions that take a Config, or one of its parts, check it the same way.
void validate(const Config& config);

}  // namespace tern
