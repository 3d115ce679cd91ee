#include "host/config/key_builders.hpp"
#include "host/config/key_sections.hpp"

namespace tern {

using enum OnResume;

namespace {

constexpr Range kCosines{-1.0, 1.0};
constexpr Range kExponents{0.0, 100.0};

}  // namespace

std::vector<KeySpec> loss_keys() {
  constexpr auto kSoftmax = [](auto member) {
    return at(&Config::loss, &LossOptions::softmax, member);
  };
  constexpr auto kAtK = [](auto member) { return at(&Config::loss, &LossOptions::at_k, member); };
  return {
      choice<LossKind>("loss.kind", kBetweenEpochs,
                       "bpr: each item against a sampled one; softmax: against those of the "
                       "batch's other pairs (loss.negatives); directau: pairs close together, all "
                       "else spread out; ccl: cosines against sampled items, with a margin; sl@k: "
                       "softmax in which pairs near the first loss.k places count most",
                       at(&Config::loss, &LossOptions::kind),
                       {{"bpr", LossKind::kBpr},
                        {"softmax", LossKind::kSoftmax},
                        {"directau", LossKind::kDirectAu},
                        {"ccl", LossKind::kCcl},
                        {"sl@k", LossKind::kSoftmaxAtK}}),
      choice<SoftmaxNegatives>(
          "loss.negatives", kBetweenEpochs,
          "softmax, sl@k: the items of the batch's other pairs (batch); "
          "sampling.negatives_per_positive items of each pair's own, where loss.mask has no "
          "effect (sampled); or the items of the batch's other pairs "
          "and the sampled ones of all pairs (mixed)",
          at(&Config::loss, &LossOptions::negatives),
          {{"batch", SoftmaxNegatives::kBatch},
           {"sampled", SoftmaxNegatives::kSampled},
           {"mixed", SoftmaxNegatives::kMixed}}),
      number("loss.l2", kChangesResult,
             "weight of the squared norms of each triplet's layer-0 rows (gcmc: final rows)",
             at(&Config::l2), kNotNegative),
      number(
          "loss.temperature", kChangesResult,
          "softmax, sl@k: cosines are divided by this; smaller: the hardest negatives count more",
          kSoftmax(&InBatchSoftmaxOptions::temperature), kPositive),
      number("loss.negative_weight", kChangesResult,
             "softmax, sl@k: weight of the logarithm of the negatives' sum; 1: SL, else BSL, whose "
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
          "softmax, sl@k: items of the batch, and with loss.negatives = mixed sampled ones, "
          "that are no negatives of a pair: "
          "none, its own item in other pairs, or all that its user has in training",
          kSoftmax(&InBatchSoftmaxOptions::mask),
          {{"none", SoftmaxMask::kNone},
           {"same-item", SoftmaxMask::kSameItem},
           {"observed", SoftmaxMask::kObserved}}),
      number("loss.popularity_correction", kChangesResult,
             "softmax, sl@k: this times the logarithm of an item's share of the interactions "
             "(loss.negatives = mixed: of these and the draws) leaves its logit as a negative; 0: "
             "none, 1: full correction",
             kSoftmax(&InBatchSoftmaxOptions::popularity_correction), kExponents),
      integer("loss.k", kChangesResult,
              "sl@k: pairs are weighted by their cosine against the user's k-th best of all items",
              kAtK(&AtKOptions::k), 1, 65536),
      number("loss.weight_temperature", kChangesResult,
             "sl@k: the difference from that cosine is divided by this; smaller: pairs beyond the "
             "first loss.k places count less",
             kAtK(&AtKOptions::weight_temperature), kPositive),
      integer(
          "loss.refresh_every", kChangesResult,
          "sl@k: epochs between two measurements of those cosines, which are 0 before the first",
          kAtK(&AtKOptions::refresh_every), 1, 1'000'000'000),
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
              "softmax and sl@k with loss.negatives = sampled: the pair is set against its own; "
              "mixed: against those of all pairs",
              at(&Config::sampling, &SamplingOptions::negatives_per_positive), 1, 1000),
  };
}

}  // namespace tern
