#include "host/config/keys.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <utility>

#include "host/config/key_builders.hpp"
#include "host/support/edit_distance.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();
constexpr Range kExponents{0.0, 100.0};
constexpr Range kUnit{0.0, 1.0};

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

std::vector<KeySpec> data_keys() {
  return {
      text(
          "data.path", "path", "the directory or file to train on (DATA on the command line)",
          [](auto& c) -> auto& { return c.data_path; }, any_text),
      choice<SplitMethod>("data.split",
                          "how the test set is chosen; auto: as given by the data, else random",
                          [](auto& c) -> auto& { return c.data.split; },
                          {{"auto", SplitMethod::kAuto},
                           {"given", SplitMethod::kGiven},
                           {"random", SplitMethod::kRandom},
                           {"leave-one-out", SplitMethod::kLeaveOneOut},
                           {"cold-items", SplitMethod::kColdItems},
                           {"time", SplitMethod::kTime}}),
      number(
          "data.test_fraction", "share of the interactions that a split holds out for testing",
          [](auto& c) -> auto& { return c.data.test_fraction; }, kBelowOne),
      optional_number(
          "data.valid_fraction",
          "share of the remaining ones that is held out for validation; 0: none; auto: 0.1, but "
          "nothing is cut from a given training set",
          [](auto& c) -> auto& { return c.data.valid_fraction; }, kBelowOne, "auto"),
      integer(
          "data.split_seed", "seed of the split; training seeds vary over the same split",
          [](auto& c) -> auto& { return c.data.split_seed.value; }, 0, kLargest),
      integer(
          "data.k_core", "users and items with fewer interactions are dropped until none is left",
          [](auto& c) -> auto& { return c.data.k_core; }, 0, 1'000'000'000),
      optional_number(
          "data.min_rating", "interactions rated below are dropped",
          [](auto& c) -> auto& { return c.data.min_rating; }, kAnyNumber),
      text(
          "data.user_column", "header name, or position from 1 as text",
          "column of the users in a table; empty: found by its header, else the first",
          [](auto& c) -> auto& { return c.data.user_column; }, any_text),
      text(
          "data.item_column", "header name, or position from 1 as text",
          "column of the items; empty: found by its header, else the second",
          [](auto& c) -> auto& { return c.data.item_column; }, any_text),
      text(
          "data.rating_column", "header name, or position from 1 as text",
          "column of the ratings, or none; empty: found by its header, else the third",
          [](auto& c) -> auto& { return c.data.rating_column; }, any_text),
      text(
          "data.timestamp_column", "header name, or position from 1 as text",
          "column of the times, or none; empty: found by its header, else the fourth",
          [](auto& c) -> auto& { return c.data.timestamp_column; }, any_text),
      integer(
          "data.max_bytes", "a file of more bytes than this, after decompression, is refused",
          [](auto& c) -> auto& { return c.data.max_bytes; }, 1, kLargest),
      integer(
          "data.max_nodes", "more users, or more items, than this are refused",
          [](auto& c) -> auto& { return c.data.max_nodes; }, 1, 2'147'483'646),
      integer(
          "data.max_feature_bytes", "more bytes of features a side than this are refused",
          [](auto& c) -> auto& { return c.data.max_feature_bytes; }, 1, kLargest),
  };
}

std::vector<KeySpec> model_keys() {
  return {
      choice<ModelKind>("model.kind",
                        "lightgcn, matrix factorisation (mf), or the GC-MC encoder (gcmc)",
                        [](auto& c) -> auto& { return c.model.kind; },
                        {{"lightgcn", ModelKind::kLightGcn},
                         {"mf", ModelKind::kMatrixFactorization},
                         {"gcmc", ModelKind::kGcMc}}),
      integer(
          "model.width", "numbers in an embedding (D)",
          [](auto& c) -> auto& { return c.model.width; }, 1, 65536),
      integer(
          "model.layers", "propagations (L) of lightgcn",
          [](auto& c) -> auto& { return c.model.layers; }, 0, 100),
      number(
          "model.init_std", "standard deviation that embeddings start with",
          [](auto& c) -> auto& { return c.model.init_std; }, kPositive),
      integers("model.hidden", "gcmc: widths of the layers before the last; none: one layer",
               [](auto& c) -> auto& { return c.model.hidden; },
               {1, 65536, IntegerList::Kind::kSequence}),
      choice<InputKind>("model.inputs",
                        "gcmc: what nodes start from; auto: features, or ids where a side has none",
                        [](auto& c) -> auto& { return c.model.inputs; },
                        {{"auto", InputKind::kAuto},
                         {"features", InputKind::kFeatures},
                         {"ids", InputKind::kIds},
                         {"both", InputKind::kBoth}}),
      number(
          "model.dropout", "gcmc: share of the elements of messages dropped in training",
          [](auto& c) -> auto& { return c.model.dropout; }, kBelowOne),
      number(
          "model.message_dropout",
          "gcmc: share of nodes that hear nothing in a training step, as new nodes do",
          [](auto& c) -> auto& { return c.model.message_dropout; }, kBelowOne),
      number(
          "loss.l2",
          "weight of the squared norms of each triplet's layer-0 rows (gcmc: final rows)",
          [](auto& c) -> auto& { return c.l2; }, kNotNegative),
  };
}

std::vector<KeySpec> sampling_keys() {
  return {
      choice<PositiveSampling>(
          "sampling.positives",
          "user: a random user, then one of its items; interaction: each one once an epoch",
          [](auto& c) -> auto& { return c.sampling.positives; },
          {{"user", PositiveSampling::kUser}, {"interaction", PositiveSampling::kInteraction}}),
      choice<NegativeSampling>(
          "sampling.negatives", "law of the unobserved items that are drawn",
          [](auto& c) -> auto& { return c.sampling.negatives; },
          {{"uniform", NegativeSampling::kUniform}, {"popularity", NegativeSampling::kPopularity}}),
      number(
          "sampling.popularity_exponent",
          "popularity: an item is drawn in proportion to degree^exponent",
          [](auto& c) -> auto& { return c.sampling.popularity_exponent; }, kExponents),
      integer(
          "sampling.popularity_tries", "popularity: draws before a uniform one is taken",
          [](auto& c) -> auto& { return c.sampling.popularity_tries; }, 0, 1000),
      integer(
          "sampling.negatives_per_positive", "triplets made of each positive pair",
          [](auto& c) -> auto& { return c.sampling.negatives_per_positive; }, 1, 1000),
  };
}

std::vector<KeySpec> optimizer_keys() {
  return {
      choice<OptimizerKind>("optimizer.kind", "the update rule",
                            [](auto& c) -> auto& { return c.optimizer.kind; },
                            {{"adam", OptimizerKind::kAdam}, {"sgd", OptimizerKind::kSgd}}),
      shared_number(
          "optimizer.learning_rate", "step size; sgd starts from 0.01 where it is not set",
          [](auto& c) -> auto& { return c.optimizer.adam.learning_rate; },
          [](auto& c) -> auto& { return c.optimizer.sgd.learning_rate; }, kPositive),
      shared_number(
          "optimizer.weight_decay", "adds this times the parameter to its gradient",
          [](auto& c) -> auto& { return c.optimizer.adam.weight_decay; },
          [](auto& c) -> auto& { return c.optimizer.sgd.weight_decay; }, kNotNegative),
      number(
          "optimizer.beta1", "adam: decay of the mean gradient",
          [](auto& c) -> auto& { return c.optimizer.adam.beta1; }, kBelowOne),
      number(
          "optimizer.beta2", "adam: decay of the mean squared gradient",
          [](auto& c) -> auto& { return c.optimizer.adam.beta2; }, kBelowOne),
      number(
          "optimizer.epsilon", "adam: added to the root of the mean squared gradient",
          [](auto& c) -> auto& { return c.optimizer.adam.epsilon; }, kPositive),
      number(
          "optimizer.momentum", "sgd: share of the former step that is kept",
          [](auto& c) -> auto& { return c.optimizer.sgd.momentum; }, kBelowOne),
  };
}

std::vector<KeySpec> train_keys() {
  return {
      integer(
          "train.epochs", "epochs to train, as many draws each as there are interactions",
          [](auto& c) -> auto& { return c.epochs; }, 0, 1'000'000'000),
      integer(
          "train.batch_size", "triplets a step (B)", [](auto& c) -> auto& { return c.batch_size; },
          1, 1 << 30),
      integer(
          "train.seed", "seed of the first embeddings and of sampling",
          [](auto& c) -> auto& { return c.seed.value; }, 0, kLargest),
      integer(
          "train.evaluate_every", "epochs between evaluations; 0: only after the last",
          [](auto& c) -> auto& { return c.evaluate_every; }, 0, 1'000'000'000),
      integer(
          "train.patience", "evaluations without a better metric before it stops; 0: never",
          [](auto& c) -> auto& { return c.patience; }, 0, 1'000'000'000),
      text(
          "train.metric", "name@k with a name of recall|precision|ndcg|hit_rate|mrr|map|coverage",
          "the metric that chooses the best epoch", [](auto& c) -> auto& { return c.metric; },
          is_metric),
      choice<SelectionSplit>("train.select_on",
                             "the split that it is measured on; test flatters the result",
                             [](auto& c) -> auto& { return c.select_on; },
                             {{"valid", SelectionSplit::kValid}, {"test", SelectionSplit::kTest}}),
      choice<OnNan>(
          "train.on_nan",
          "what happens where a loss or parameter is not finite; rollback: it goes on from the "
          "last checkpoint with half the learning rate",
          [](auto& c) -> auto& { return c.on_nan; },
          {{"stop", OnNan::kStop}, {"rollback", OnNan::kRollback}}),
      integer(
          "train.max_rollbacks", "rollbacks of a run before it stops all the same",
          [](auto& c) -> auto& { return c.max_rollbacks; }, 0, 100),
      text(
          "train.device", "device of auto|cpu|cuda|cuda:N|reference",
          "where to compute; auto: a GPU where there is one",
          [](auto& c) -> auto& { return c.device; }, is_device),
      integer(
          "train.threads", "threads on a CPU; 0: all", [](auto& c) -> auto& { return c.threads; },
          0, 4096),
      choice<Reproducibility>(
          "train.reproducibility",
          "bitwise: equal runs give equal bits; none: a GPU adds in any order, by atomics",
          [](auto& c) -> auto& { return c.reproducibility; },
          {{"bitwise", Reproducibility::kBitwise}, {"none", Reproducibility::kNone}}),
      integers("evaluation.ks", "lengths of the lists that metrics look at",
               [](auto& c) -> auto& { return c.evaluation.ks; }, {1, 1'000'000}),
  };
}

std::vector<KeySpec> checkpoint_keys() {
  return {
      integer(
          "checkpoint.every_epochs",
          "epochs between two checkpoints to resume from; 0: by time alone",
          [](auto& c) -> auto& { return c.checkpoint.every_epochs; }, 0, 1'000'000'000),
      number(
          "checkpoint.every_minutes",
          "minutes between two of them, within epochs too; 0: by epochs alone",
          [](auto& c) -> auto& { return c.checkpoint.every_minutes; }, kNotNegative),
      integer(
          "checkpoint.keep", "how many of them are kept, the newest",
          [](auto& c) -> auto& { return c.checkpoint.keep; }, 1, 1'000'000),
  };
}

std::vector<KeySpec> monitor_keys() {
  return {
      choice<CollapseAction>("monitor.on_collapse", "what happens where a limit below is crossed",
                             [](auto& c) -> auto& { return c.monitor.on_collapse; },
                             {{"ignore", CollapseAction::kIgnore},
                              {"warn", CollapseAction::kWarn},
                              {"stop", CollapseAction::kStop}}),
      integer(
          "monitor.every", "epochs between two looks; 0: only where metrics are measured",
          [](auto& c) -> auto& { return c.monitor.every; }, 0, 1'000'000'000),
      number(
          "monitor.max_norm", "largest mean norm of final embeddings",
          [](auto& c) -> auto& { return c.monitor.max_norm; }, kPositive),
      number(
          "monitor.max_mean_cosine", "largest mean cosine between final embeddings",
          [](auto& c) -> auto& { return c.monitor.max_mean_cosine; }, kUnit),
      number(
          "monitor.min_rank_share",
          "least effective rank of final embeddings, as a share of min(rows, D)",
          [](auto& c) -> auto& { return c.monitor.min_rank_share; }, kUnit),
  };
}

}  // namespace

const std::vector<KeySpec>& key_table() {
  static const std::vector<KeySpec> table = [] {
    std::vector<KeySpec> all;
    for (auto section : {data_keys, model_keys, sampling_keys, optimizer_keys, train_keys,
                         monitor_keys, checkpoint_keys}) {
      std::vector<KeySpec> keys = section();
      std::move(keys.begin(), keys.end(), std::back_inserter(all));
    }
    return all;
  }();
  return table;
}

const KeySpec& find_key(std::string_view key) {
  for (const KeySpec& spec : key_table()) {
    if (spec.key == key) return spec;
  }
  const KeySpec* nearest = nullptr;
  int least = 0;
  const EditDistance to_key(key);
  const EditDistance to_name(key.substr(key.rfind('.') + 1));
  for (const KeySpec& spec : key_table()) {
    // "epochs" alone, or under another section, is as good a hint as a letter wrong.
    const std::string_view name = std::string_view(spec.key).substr(spec.key.find('.') + 1);
    const int distance = std::min(to_key(spec.key), to_name(name) + 1);
    if (nearest == nullptr || distance < least) {
      nearest = &spec;
      least = distance;
    }
  }
  throw ConfigError("unknown key " + in_quotes(key) + ": did you mean " + nearest->key + "?");
}

}  // namespace tern
