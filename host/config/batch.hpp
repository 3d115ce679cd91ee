#pragma once

#include <cstdint>

#include "tern/config.hpp"

namespace tern {

/// Whether the loss is a softmax, whose negatives loss.negatives chooses.
constexpr bool is_softmax(LossKind kind) {
  return kind == LossKind::kSoftmax || kind == LossKind::kSoftmaxAtK;
}

/// Whether the loss sets each positive pair against all of its sampled negatives together. Then
/// train.batch_size counts pairs, and a batch has the triplets of whole pairs.
constexpr bool contrasts_samples(const LossOptions& options) {
  return options.kind == LossKind::kCcl ||
         (is_softmax(options.kind) && options.negatives != SoftmaxNegatives::kBatch);
}

/// Whether the items of the batch's other pairs are negatives of a softmax.
constexpr bool contrasts_pairs(const LossOptions& options) {
  return is_softmax(options.kind) && options.negatives != SoftmaxNegatives::kSampled;
}

/// Whether a softmax has both: the items of the batch's other pairs and sampled ones.
constexpr bool mixes_negatives(const LossOptions& options) {
  return contrasts_pairs(options) && contrasts_samples(options);
}

/// Whether the loss reads negatives that the sampler draws.
constexpr bool draws_negatives(const LossOptions& options) {
  return options.kind == LossKind::kBpr || contrasts_samples(options);
}

/// Triplets of a batch: train.batch_size, or sampling.negatives_per_positive times as many if the loss
/// contrasts samples.
constexpr std::int64_t batch_triplets(const Config& config) {
  return config.batch_size *
         (contrasts_samples(config.loss) ? config.sampling.triplets_per_positive() : 1);
}

/// The most triplets of a batch. Twice as many occurrences of items are counted in 32 bits.
inline constexpr std::int64_t kMaxBatchTriplets = (std::int64_t{1} << 30) - 1;

}  // namespace tern
