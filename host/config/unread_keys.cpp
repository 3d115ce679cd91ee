#include "host/config/unread_keys.hpp"

#include <algorithm>
#include <string_view>

#include "host/config/batch.hpp"

namespace tern {
namespace {

bool has_softmax(const Config& config) {
  return is_softmax(config.loss.kind);
}

bool has_negatives(const Config& config) {
  return draws_negatives(config.loss);
}

/// Keys, and the configurations that read them, in words and as a test.
struct Reading {
  std::vector<std::string_view> keys;
  std::string_view reader;
  bool (*reads)(const Config&);
};

const std::vector<Reading>& readings() {
  static const std::vector<Reading> table{
      {{"model.layers"},
       "model.kind = lightgcn",
       [](const Config& c) { return c.model.kind == ModelKind::kLightGcn; }},
      {{"train.precision"},
       "model.kind = lightgcn or gcmc",
       [](const Config& c) {
         return c.model.kind == ModelKind::kLightGcn || c.model.kind == ModelKind::kGcMc;
       }},
      {{"model.hidden", "model.inputs", "model.dropout", "model.message_dropout"},
       "model.kind = gcmc",
       [](const Config& c) { return c.model.kind == ModelKind::kGcMc; }},
      {{"model.init_std"},
       "model.init = normal",
       [](const Config& c) { return c.model.init == EmbeddingInit::kNormal; }},
      {{"propagation.alpha", "propagation.beta", "propagation.gamma"},
       "propagation.kind = lightgcn++",
       [](const Config& c) {
         return c.model.propagation.kind == PropagationKind::kLightGcnPlusPlus;
       }},
      {{"ease.l2"},
       "model.kind = ease",
       [](const Config& c) { return c.model.kind == ModelKind::kEase; }},
      {{"graph_filter.rank", "graph_filter.alpha"},
       "model.kind = graph_filter",
       [](const Config& c) { return c.model.kind == ModelKind::kGraphFilter; }},
      {{"contrast.weight", "contrast.temperature", "contrast.magnitude", "contrast.view_layer"},
       "contrast.kind = xsimgcl",
       [](const Config& c) { return c.model.contrast.kind == ContrastKind::kXSimGcl; }},
      {{"loss.temperature", "loss.negatives"}, "loss.kind = softmax or sl@k", has_softmax},
      {{"loss.negative_weight"},
       "loss.kind = softmax, sl@k or ccl",
       [](const Config& c) { return has_softmax(c) || c.loss.kind == LossKind::kCcl; }},
      {{"loss.mask", "loss.popularity_correction"},
       "loss.kind = softmax or sl@k, with loss.negatives = batch or mixed",
       [](const Config& c) { return contrasts_pairs(c.loss); }},
      {{"loss.margin"},
       "loss.kind = ccl",
       [](const Config& c) { return c.loss.kind == LossKind::kCcl; }},
      {{"loss.uniformity_weight"},
       "loss.kind = directau",
       [](const Config& c) { return c.loss.kind == LossKind::kDirectAu; }},
      {{"loss.k", "loss.weight_temperature", "loss.refresh_every"},
       "loss.kind = sl@k",
       [](const Config& c) { return c.loss.kind == LossKind::kSoftmaxAtK; }},
      {{"sampling.negatives", "sampling.negatives_per_positive"},
       "a loss.kind that samples negatives",
       has_negatives},
      {{"sampling.popularity_exponent", "sampling.popularity_tries"},
       "sampling.negatives = popularity",
       [](const Config& c) {
         return has_negatives(c) && c.sampling.negatives == NegativeSampling::kPopularity;
       }},
      {{"optimizer.beta1", "optimizer.beta2", "optimizer.epsilon"},
       "optimizer.kind = adam",
       [](const Config& c) { return c.optimizer.kind == OptimizerKind::kAdam; }},
      {{"optimizer.momentum"},
       "optimizer.kind = sgd",
       [](const Config& c) { return c.optimizer.kind == OptimizerKind::kSgd; }},
  };
  return table;
}

}  // namespace

std::vector<UnreadKey> unread_keys(const Config& base, const Config& config) {
  std::vector<UnreadKey> unread;
  for (const ConfigDifference& change : compare_configs(base, config)) {
    for (const Reading& reading : readings()) {
      if (std::ranges::find(reading.keys, change.key) == reading.keys.end()) continue;
      if (!reading.reads(config)) unread.push_back({change.key, std::string(reading.reader)});
    }
  }
  return unread;
}

}  // namespace tern
