#include "host/config/keys.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <utility>

#include "host/config/key_builders.hpp"
#include "host/config/retired_keys.hpp"
#include "host/config/synonyms.hpp"
#include "host/support/edit_distance.hpp"
#include "host/support/message.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

using enum OnResume;

constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();
constexpr Range kExponents{0.0, 100.0};
constexpr Range kUnit{0.0, 1.0};
constexpr Range kCosines{-1.0, 1.0};

bool any_text(std::string_view value) {
  return value.find('\0') == std::string_view::npos;
}

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

/// A name, or characters that cannot be parts of an id.
bool is_separator_name(std::string_view value) {
  constexpr std::array<std::string_view, 7> kNames{"auto", "tab",   "comma", "semicolon",
                                                   "pipe", "space", "::"};
  if (std::find(kNames.begin(), kNames.end(), value) != kNames.end()) return true;
  constexpr std::string_view kNever("\0\n\r\"", 4);
  const bool letter = !value.empty() && (std::isalnum(static_cast<unsigned char>(value[0])) != 0 ||
                                         static_cast<unsigned char>(value[0]) > 0x7F);
  return value.size() == 1 && !letter && kNever.find(value[0]) == std::string_view::npos;
}

std::vector<KeySpec> data_keys() {
  return {
      text("data.path", kHarmless, "path",
           "the directory or file to train on (DATA on the command line)", at(&Config::data_path),
           any_text),
      choice<SplitMethod>("data.split", kFixed,
                          "how the test set is chosen; auto: as given by the data, else random",
                          at(&Config::data, &DataOptions::split),
                          {{"auto", SplitMethod::kAuto},
                           {"given", SplitMethod::kGiven},
                           {"random", SplitMethod::kRandom},
                           {"leave-one-out", SplitMethod::kLeaveOneOut},
                           {"cold-items", SplitMethod::kColdItems},
                           {"time", SplitMethod::kTime}}),
      number("data.test_fraction", kFixed, "share of the interactions held out for testing",
             at(&Config::data, &DataOptions::test_fraction), kBelowOne),
      optional_number(
          "data.valid_fraction", kFixed,
          "share of the remaining interactions held out for validation; 0: none; auto: 0.1, but "
          "nothing is cut from a given training set",
          at(&Config::data, &DataOptions::valid_fraction), kBelowOne, "auto"),
      integer("data.split_seed", kFixed,
              "seed of the split; training seeds vary over the same split",
              at(&Config::data, &DataOptions::split_seed, &Seed::value), 0, kLargest),
      integer("data.k_core", kFixed,
              "drop users and items with fewer interactions, until all that remain have enough",
              at(&Config::data, &DataOptions::k_core), 0, 1'000'000'000),
      optional_number("data.min_rating", kFixed, "drop interactions with a lower rating",
                      at(&Config::data, &DataOptions::min_rating), kAnyNumber),
      choice<DataFormat>(
          "data.format", kFixed,
          "layout of the files of interactions; auto: recognised by their first lines",
          at(&Config::data, &DataOptions::format),
          {{"auto", DataFormat::kAuto},
           {"table", DataFormat::kTable},
           {"adjacency", DataFormat::kAdjacency},
           {"jsonl", DataFormat::kJsonLines}}),
      text("data.separator", kFixed,
           "one of auto|tab|comma|semicolon|pipe|space|::, or another character",
           "what divides the fields of a table; space: any number of blanks",
           at(&Config::data, &DataOptions::separator), is_separator_name),
      choice<HeaderRow>(
          "data.header", kFixed,
          "whether a table's first row holds names; auto: if they look like names",
          at(&Config::data, &DataOptions::header),
          {{"auto", HeaderRow::kAuto}, {"yes", HeaderRow::kYes}, {"no", HeaderRow::kNo}}),
      choice<TextEncoding>("data.encoding", kFixed, "encoding of the files of interactions",
                           at(&Config::data, &DataOptions::encoding),
                           {{"utf-8", TextEncoding::kUtf8}, {"latin-1", TextEncoding::kLatin1}}),
      text("data.user_column", kFixed, "header name, or position from 1 as text",
           "column (or JSON key) of the users; empty: found by its header, else the first",
           at(&Config::data, &DataOptions::user_column), any_text),
      text("data.item_column", kFixed, "header name, or position from 1 as text",
           "column of the items; empty: found by its header, else the second",
           at(&Config::data, &DataOptions::item_column), any_text),
      text("data.rating_column", kFixed, "header name, or position from 1 as text",
           "column of the ratings, or none; empty: found by its header, else the third",
           at(&Config::data, &DataOptions::rating_column), any_text),
      text("data.timestamp_column", kFixed, "header name, or position from 1 as text",
           "column of the times, or none; empty: found by its header, else the fourth",
           at(&Config::data, &DataOptions::timestamp_column), any_text),
      integer("data.max_bytes", kHarmless, "largest file to accept, in bytes after decompression",
              at(&Config::data, &DataOptions::max_bytes), 1, kLargest),
      integer("data.max_nodes", kHarmless, "largest number of users, or of items, to accept",
              at(&Config::data, &DataOptions::max_nodes), 1, 2'147'483'646),
      integer("data.max_feature_bytes", kHarmless, "largest features of a side to accept, in bytes",
              at(&Config::data, &DataOptions::max_feature_bytes), 1, kLargest),
      integer("data.max_categories", kHarmless,
              "most values of a column of features that become categories",
              at(&Config::data, &DataOptions::max_categories), 1, kLargest),
  };
}

std::vector<KeySpec> model_keys() {
  return {
      choice<ModelKind>("model.kind", kFixed,
                        "lightgcn, matrix factorisation (mf), or the GC-MC encoder (gcmc)",
                        at(&Config::model, &ModelOptions::kind),
                        {{"lightgcn", ModelKind::kLightGcn},
                         {"mf", ModelKind::kMatrixFactorization},
                         {"gcmc", ModelKind::kGcMc}}),
      integer("model.width", kFixed, "numbers per embedding (D)",
              at(&Config::model, &ModelOptions::width), 1, 65536),
      integer("model.layers", kFixed, "propagations (L) of lightgcn",
              at(&Config::model, &ModelOptions::layers), 0, 100),
      choice<EmbeddingInit>(
          "model.init", kChangesResult,
          "law of the initial embeddings; xavier: uniform to +-sqrt(6 / (rows + model.width))",
          at(&Config::model, &ModelOptions::init),
          {{"normal", EmbeddingInit::kNormal}, {"xavier", EmbeddingInit::kXavier}}),
      number("model.init_std", kChangesResult,
             "normal: standard deviation of the initial embeddings",
             at(&Config::model, &ModelOptions::init_std), kPositive),
      integers("model.hidden", kFixed, "gcmc: widths of all layers but the last; empty: one layer",
               at(&Config::model, &ModelOptions::hidden), {1, 65536, IntegerList::Kind::kSequence}),
      choice<InputKind>("model.inputs", kFixed,
                        "gcmc: inputs of the nodes; auto: features, or ids if a side has none",
                        at(&Config::model, &ModelOptions::inputs),
                        {{"auto", InputKind::kAuto},
                         {"features", InputKind::kFeatures},
                         {"ids", InputKind::kIds},
                         {"both", InputKind::kBoth}}),
      number("model.dropout", kChangesResult,
             "gcmc: share of the elements of messages dropped in training",
             at(&Config::model, &ModelOptions::dropout), kBelowOne),
      number("model.message_dropout", kChangesResult,
             "gcmc: share of nodes without any message in a training step, like new nodes",
             at(&Config::model, &ModelOptions::message_dropout), kBelowOne),
  };
}

std::vector<KeySpec> loss_keys() {
  constexpr auto kSoftmax = [](auto member) {
    return at(&Config::loss, &LossOptions::softmax, member);
  };
  return {
      choice<LossKind>("loss.kind", kBetweenEpochs,
                       "bpr: each item against a sampled one; softmax: against those of the "
                       "batch's other pairs (loss.negatives); directau: pairs close together, all "
                       "else spread out; ccl: cosines against sampled items, with a margin",
                       at(&Config::loss, &LossOptions::kind),
                       {{"bpr", LossKind::kBpr},
                        {"softmax", LossKind::kSoftmax},
                        {"directau", LossKind::kDirectAu},
                        {"ccl", LossKind::kCcl}}),
      choice<SoftmaxNegatives>(
          "loss.negatives", kBetweenEpochs,
          "softmax: the items of the batch's other pairs, or "
          "sampling.negatives_per_positive items sampled for each pair, which loss.mask does not "
          "concern, as none of them is observed",
          at(&Config::loss, &LossOptions::negatives),
          {{"batch", SoftmaxNegatives::kBatch}, {"sampled", SoftmaxNegatives::kSampled}}),
      number("loss.l2", kChangesResult,
             "weight of the squared norms of each triplet's layer-0 rows (gcmc: final rows)",
             at(&Config::l2), kNotNegative),
      number("loss.temperature", kChangesResult,
             "softmax: cosines are divided by this; smaller: the hardest negatives count more",
             kSoftmax(&InBatchSoftmaxOptions::temperature), kPositive),
      number("loss.negative_weight", kChangesResult,
             "softmax: weight of the logarithm of the negatives' sum; 1: SL, else BSL, whose "
             "positive temperature is loss.temperature times this; ccl: weight of the negatives' "
             "mean",
             kSoftmax(&InBatchSoftmaxOptions::negative_weight), kNotNegative),
      number("loss.margin", kChangesResult, "ccl: negatives of a smaller cosine do not count",
             at(&Config::loss, &LossOptions::margin), kCosines),
      number("loss.uniformity_weight", kChangesResult,
             "directau: weight of the uniformity of users and items",
             at(&Config::loss, &LossOptions::uniformity_weight), kNotNegative),
      choice<SoftmaxMask>(
          "loss.mask", kChangesResult,
          "softmax: items of the batch that are no negatives of a pair: none, its own item in "
          "other pairs, or all that its user has in training",
          kSoftmax(&InBatchSoftmaxOptions::mask),
          {{"none", SoftmaxMask::kNone},
           {"same-item", SoftmaxMask::kSameItem},
           {"observed", SoftmaxMask::kObserved}}),
      number("loss.popularity_correction", kChangesResult,
             "softmax: this times the logarithm of an item's share of the interactions leaves its "
             "logit as a negative; 0: none, 1: full correction",
             kSoftmax(&InBatchSoftmaxOptions::popularity_correction), kExponents),
  };
}

std::vector<KeySpec> contrast_keys() {
  constexpr auto kContrast = [](auto member) {
    return at(&Config::model, &ModelOptions::contrast, member);
  };
  return {
      choice<ContrastKind>(
          "contrast.kind", kFixed,
          "a second loss beside the first; xsimgcl: lightgcn adds noise to its layers, and its "
          "final embeddings are contrasted with those of one layer",
          kContrast(&ContrastOptions::kind),
          {{"none", ContrastKind::kNone}, {"xsimgcl", ContrastKind::kXSimGcl}}),
      number("contrast.weight", kChangesResult, "xsimgcl: weight of the second loss",
             kContrast(&ContrastOptions::weight), kNotNegative),
      number("contrast.temperature", kChangesResult, "xsimgcl: cosines are divided by this",
             kContrast(&ContrastOptions::temperature), kPositive),
      number("contrast.magnitude", kChangesResult, "xsimgcl: length of the noise of a row",
             kContrast(&ContrastOptions::magnitude), kNotNegative),
      integer("contrast.view_layer", kChangesResult,
              "xsimgcl: the layer that is contrasted with the final embeddings",
              kContrast(&ContrastOptions::layer), 1, 100),
  };
}

std::vector<KeySpec> sampling_keys() {
  return {
      choice<PositiveSampling>(
          "sampling.positives", kBetweenEpochs,
          "user: a random user, then one of its items; interaction: each interaction once per "
          "epoch",
          at(&Config::sampling, &SamplingOptions::positives),
          {{"user", PositiveSampling::kUser}, {"interaction", PositiveSampling::kInteraction}}),
      choice<NegativeSampling>(
          "sampling.negatives", kBetweenEpochs,
          "distribution from which unobserved items are drawn",
          at(&Config::sampling, &SamplingOptions::negatives),
          {{"uniform", NegativeSampling::kUniform}, {"popularity", NegativeSampling::kPopularity}}),
      number("sampling.popularity_exponent", kBetweenEpochs,
             "popularity: an item is drawn in proportion to degree^exponent",
             at(&Config::sampling, &SamplingOptions::popularity_exponent), kExponents),
      integer("sampling.popularity_tries", kBetweenEpochs,
              "popularity: attempts to draw an unobserved item before a uniform draw; 0: always "
              "uniform",
              at(&Config::sampling, &SamplingOptions::popularity_tries), 0, 1000),
      integer("sampling.negatives_per_positive", kBetweenEpochs,
              "items drawn for each positive pair; bpr: each makes a triplet of its own; ccl, and "
              "softmax with loss.negatives = sampled: the pair is set against all of them",
              at(&Config::sampling, &SamplingOptions::negatives_per_positive), 1, 1000),
  };
}

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
              "softmax, directau, ccl",
              at(&Config::batch_size), 1, 1 << 30),
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

std::string nearest_key(std::string_view key) {
  std::string nearest;
  int least = 0;
  for (const KeySpec& spec : key_table()) {
    // A match of the name without its section counts as one wrong letter.
    const std::string_view name = std::string_view(spec.key).substr(spec.key.find('.') + 1);
    const int distance = std::min(edit_distance(key, spec.key),
                                  edit_distance(key.substr(key.rfind('.') + 1), name) + 1);
    if (nearest.empty() || distance < least) {
      nearest = spec.key;
      least = distance;
    }
  }
  return nearest;
}

}  // namespace

const std::vector<KeySpec>& key_table() {
  static const std::vector<KeySpec> table = [] {
    std::vector<KeySpec> all;
    for (auto section : {data_keys, model_keys, loss_keys, contrast_keys, sampling_keys,
                         optimizer_keys, train_keys, monitor_keys, checkpoint_keys}) {
      for (KeySpec& key : section()) all.push_back(std::move(key));
    }
    return all;
  }();
  return table;
}

const KeySpec& find_key(std::string_view key) {
  for (const KeySpec& spec : key_table()) {
    if (spec.key == key) return spec;
  }
  if (const RetiredKey* retired = find_retired_key(key)) {
    throw ConfigError(
        fmt::format("the key {} is gone: set {} instead", quote(key), retired->successor));
  }
  std::string meant;
  for (const std::string_view known : keys_meant_by(key)) {
    meant += (meant.empty() ? "" : " or ") + std::string(known);
  }
  if (meant.empty()) meant = nearest_key(key);
  throw ConfigError("unknown key " + quote(key) + ": did you mean " + meant + "?");
}

}  // namespace tern
