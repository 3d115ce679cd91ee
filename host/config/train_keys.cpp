#include <algorithm>
#include <array>
#include <charconv>

#include "host/config/key_builders.hpp"
#include "host/config/key_sections.hpp"

namespace tern {

using enum OnResume;

namespace {

constexpr Range kUnit{0.0, 1.0};

bool is_index(std::string_view digits) {
  std::int32_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return error == std::errc{} && end == digits.data() + digits.size() && value >= 0;
}

bool is_device(std::string_view value) {
  constexpr std::array<std::string_view, 4> kDevices{"auto", "cpu", "cuda", "reference"};
  if (std::find(kDevices.begin(), kDevices.end(), value) != kDevices.end()) return true;
  return value.starts_with("cuda:") && is_index(value.substr(5));
}

bool is_metric(std::string_view value) {
  constexpr std::array<std::string_view, 7> kNames{"recall", "precision", "ndcg",    "hit_rate",
                                                   "mrr",    "map",       "coverage"};
  const std::size_t at = value.find('@');
  if (at == std::string_view::npos || !is_index(value.substr(at + 1))) return false;
  return std::find(kNames.begin(), kNames.end(), value.substr(0, at)) != kNames.end();
}

}  // namespace

std::vector<KeySpec> optimizer_keys() {
  return {
      choice<OptimizerKind>("optimizer.kind", kFixed, "the update rule",
                            at(&Config::optimizer, &OptimizerOptions::kind),
                            {{"adam", OptimizerKind::kAdam}, {"sgd", OptimizerKind::kSgd}}),
      shared_number("optimizer.learning_rate", kChangesResult, "step size; default for sgd: 0.01",
                    at(&Config::optimizer, &OptimizerOptions::adam, &AdamOptions::learning_rate),
                    at(&Config::optimizer, &OptimizerOptions::sgd, &SgdOptions::learning_rate),
                    kPositive),
      shared_number("optimizer.weight_decay", kChangesResult,
                    "this times the parameter is added to its gradient",
                    at(&Config::optimizer, &OptimizerOptions::adam, &AdamOptions::weight_decay),
                    at(&Config::optimizer, &OptimizerOptions::sgd, &SgdOptions::weight_decay),
                    kNotNegative),
      number("optimizer.beta1", kChangesResult, "adam: decay of the mean gradient",
             at(&Config::optimizer, &OptimizerOptions::adam, &AdamOptions::beta1), kBelowOne),
      number("optimizer.beta2", kChangesResult, "adam: decay of the mean squared gradient",
             at(&Config::optimizer, &OptimizerOptions::adam, &AdamOptions::beta2), kBelowOne),
      number("optimizer.epsilon", kChangesResult,
             "adam: added to the root of the mean squared gradient",
             at(&Config::optimizer, &OptimizerOptions::adam, &AdamOptions::epsilon), kPositive),
      number("optimizer.momentum", kFixed, "sgd: share of the previous step that is kept",
             at(&Config::optimizer, &OptimizerOptions::sgd, &SgdOptions::momentum), kBelowOne),
  };
}

std::vector<KeySpec> train_keys() {
  return {
      integer("train.epochs", kHarmless,
              "epochs to train; one epoch draws as many pairs as there are interactions",
              at(&Config::epochs), 0, 1'000'000'000),
      integer("train.batch_size", kBetweenEpochs,
              "triplets per step (B); pairs for losses that set a pair against several items: "
              "softmax, sl@k, directau, ccl",
              // The two items of each triplet are counted in 32 bits.
              at(&Config::batch_size), 1, (1 << 30) - 1),
      integer("train.seed", kBetweenEpochs, "seed of the initial embeddings and of sampling",
              at(&Config::seed, &Seed::value), 0, kLargest),
      integer("train.evaluate_every", kHarmless,
              "epochs between evaluations; 0: only after the last", at(&Config::evaluate_every), 0,
              1'000'000'000),
      integer("train.patience", kHarmless,
              "stop after this many evaluations without a better metric; 0: never",
              at(&Config::patience), 0, 1'000'000'000),
      text("train.metric", kNewSelection,
           "name@k, the name one of recall|precision|ndcg|hit_rate|mrr|map|coverage",
           "the metric that chooses the best epoch", at(&Config::metric), is_metric),
      choice<SelectionSplit>(
          "train.select_on", kNewSelection,
          "the split that train.metric is measured on; test overstates the result",
          at(&Config::select_on),
          {{"valid", SelectionSplit::kValid}, {"test", SelectionSplit::kTest}}),
      choice<OnNan>(
          "train.on_nan", kHarmless,
          "what to do if a loss or parameter is not finite; rollback: continue from the last "
          "checkpoint with half the learning rate",
          at(&Config::on_nan), {{"stop", OnNan::kStop}, {"rollback", OnNan::kRollback}}),
      integer("train.max_rollbacks", kHarmless, "rollbacks of a run before it stops anyway",
              at(&Config::max_rollbacks), 0, 100),
      text("train.device", kChangesResult, "one of auto|cpu|cuda|cuda:N|reference",
           "where to compute; auto: a GPU if there is one, else the CPU", at(&Config::device),
           is_device),
      integer("train.threads", kHarmless, "threads on a CPU; 0: as many as it may use (tern info)",
              at(&Config::threads), 0, 4096),
      choice<GatherPrecision>("train.precision", kChangesResult,
                              "how propagations read embeddings; bf16: as copies of half the size, "
                              "all else in f32",
                              at(&Config::model, &ModelOptions::gather),
                              {{"f32", GatherPrecision::kOwn}, {"bf16", GatherPrecision::kBf16}}),
      choice<Reproducibility>(
          "train.reproducibility", kChangesResult,
          "bitwise: equal runs give equal bits; none: a GPU adds in any order, by atomics",
          at(&Config::reproducibility),
          {{"bitwise", Reproducibility::kBitwise}, {"none", Reproducibility::kNone}}),
      integers("evaluation.ks", kHarmless, "list lengths k at which metrics are measured",
               at(&Config::evaluation, &EvaluationOptions::ks), {1, 1'000'000}),
      choice<ScoreKind>("evaluation.score", kNewSelection,
                        "what a user's items are ranked by, in training and by all commands",
                        at(&Config::evaluation, &EvaluationOptions::score),
                        {{"dot", ScoreKind::kDot}, {"cosine", ScoreKind::kCosine}}),
  };
}

std::vector<KeySpec> checkpoint_keys() {
  return {
      integer("checkpoint.every_epochs", kHarmless,
              "epochs between two checkpoints; 0: only by time",
              at(&Config::checkpoint, &CheckpointOptions::every_epochs), 0, 1'000'000'000),
      number("checkpoint.every_minutes", kHarmless,
             "minutes between two checkpoints, also within an epoch; 0: only by epochs",
             at(&Config::checkpoint, &CheckpointOptions::every_minutes), kNotNegative),
      integer("checkpoint.keep", kHarmless, "how many of the newest checkpoints to keep",
              at(&Config::checkpoint, &CheckpointOptions::keep), 1, 1'000'000),
  };
}

std::vector<KeySpec> log_keys() {
  return {
      flag("log.tensorboard", kHarmless,
           "true: write curves, hyperparameters and embeddings for TensorBoard into "
           "RUN/tensorboard (tensorboard --logdir RUN)",
           at(&Config::log, &LogOptions::tensorboard)),
  };
}

std::vector<KeySpec> monitor_keys() {
  return {
      choice<CollapseAction>("monitor.on_collapse", kHarmless,
                             "what to do if embeddings collapse, by the limits below",
                             at(&Config::monitor, &MonitorOptions::on_collapse),
                             {{"ignore", CollapseAction::kIgnore},
                              {"warn", CollapseAction::kWarn},
                              {"stop", CollapseAction::kStop}}),
      integer("monitor.every", kHarmless,
              "epochs between two checks; 0: only when metrics are measured",
              at(&Config::monitor, &MonitorOptions::every), 0, 1'000'000'000),
      number("monitor.max_norm", kHarmless,
             "a mean norm of final embeddings above this is a collapse",
             at(&Config::monitor, &MonitorOptions::max_norm), kPositive),
      number("monitor.max_mean_cosine", kHarmless,
             "norms that grow tenfold and more are a collapse if the mean cosine is above this",
             at(&Config::monitor, &MonitorOptions::max_mean_cosine), kUnit),
      number("monitor.min_rank", kHarmless,
             "an effective rank below this, and below a quarter of the rank at the start, is a "
             "collapse; 0: none is",
             at(&Config::monitor, &MonitorOptions::min_rank), kNotNegative),
  };
}

}  // namespace tern
