// Names of models, losses and other values in LightGCN-PyTorch, RecBole, implicit and publications.

#include "host/config/value_synonyms.hpp"

#include <algorithm>
#include <array>

#include "host/config/synonyms.hpp"
#include "host/support/edit_distance.hpp"

namespace tern {
namespace {

constexpr std::array kValueSynonyms{
    ValueSynonyms{"model.kind", "lightgcn", "lgn light_gcn"},
    ValueSynonyms{"model.kind", "mf", "matrix_factorization bprmf mf_bpr pure_mf"},
    ValueSynonyms{"model.kind", "ease", "easer ease^r"},
    ValueSynonyms{"model.kind", "graph_filter", "gfcf gf_cf"},
    ValueSynonyms{"model.kind", "propagation.kind = lightgcn++",
                  "lightgcn++ lightgcnpp lightgcn_plus_plus lightgcn_plus"},
    ValueSynonyms{"model.kind", "contrast.kind = xsimgcl", "xsimgcl simgcl"},
    ValueSynonyms{"model.kind", "loss.kind = bpr", "bpr"},
    ValueSynonyms{"model.kind", "loss.kind = directau", "directau"},
    ValueSynonyms{"model.kind", "loss.kind = ccl", "simplex ccl"},
    ValueSynonyms{"model.kind", "loss.kind = softmax", "softmax bsl"},
    ValueSynonyms{"model.kind", "loss.kind = sl@k", "sl@k slatk"},
    ValueSynonyms{"loss.kind", "bpr", "bpr_loss pairwise"},
    ValueSynonyms{"loss.kind", "softmax",
                  "sl bsl ssm infonce info_nce softmax_loss in_batch_softmax ce cross_entropy"},
    ValueSynonyms{"loss.kind", "loss.kind = softmax, loss.negatives = sampled",
                  "sampled_softmax sampled_softmax_loss"},
    ValueSynonyms{"loss.kind", "loss.kind = softmax, loss.negatives = mixed",
                  "mixed_softmax mixed_negative_sampling mns"},
    ValueSynonyms{"loss.kind", "sl@k", "slatk sl_at_k softmax@k sl@20"},
    ValueSynonyms{"loss.kind", "ccl", "cosine_contrastive simplex"},
    ValueSynonyms{"loss.kind", "directau", "au alignment_uniformity"},
    ValueSynonyms{"loss.kind", "contrast.kind = xsimgcl", "xsimgcl simgcl"},
    ValueSynonyms{"propagation.kind", "lightgcn++", "lightgcnpp lightgcn_plus_plus lightgcn_plus"},
    ValueSynonyms{"contrast.kind", "xsimgcl", "simgcl"},
    ValueSynonyms{"model.init", "xavier", "glorot xavier_uniform xavier_uniform_"},
    ValueSynonyms{"model.init", "normal", "normal_ gaussian"},
    ValueSynonyms{"loss.negatives", "batch", "in_batch"},
    ValueSynonyms{"loss.negatives", "mixed", "mns mixed_negatives"},
    ValueSynonyms{"sampling.negatives", "popularity", "pop popular"},
    ValueSynonyms{"sampling.negatives", "uniform", "random uni"},
    ValueSynonyms{"evaluation.score", "dot", "inner_product inner ip"},
    ValueSynonyms{"evaluation.score", "cosine", "cos"},
    ValueSynonyms{"train.select_on", "valid", "val validation dev"},
};

/// A word with more wrong letters gets no suggestion.
int max_wrong_letters(std::string_view word) {
  return static_cast<int>(std::clamp<std::size_t>(word.size() / 3, 1, 3));
}

}  // namespace

std::span<const ValueSynonyms> value_synonyms() {
  return kValueSynonyms;
}

std::string value_meant_by(std::string_view key, std::string_view word,
                           std::span<const std::string_view> values) {
  const std::string plain = plain_word(word);
  if (plain.empty()) return "";
  for (const std::string_view value : values) {
    if (plain_word(value) == plain) return std::string(value);
  }
  for (const ValueSynonyms& row : kValueSynonyms) {
    if (row.key == key && is_among(plain, row.words)) return std::string(row.meaning);
  }
  int limit = max_wrong_letters(plain);
  std::string nearest;
  for (const std::string_view value : values) {
    const int distance = edit_distance(plain, plain_word(value), limit);
    if (distance > limit) continue;
    nearest = value;
    limit = distance - 1;
  }
  return nearest;
}

}  // namespace tern
