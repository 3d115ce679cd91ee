#pragma once

#include <span>
#include <vector>

#include "host/gradcheck/problem.hpp"

namespace tern::gradcheck_detail {

// The cosine contrastive loss has a kink where the cosine of a user and a negative is the margin.

/// The cosine of each triplet's user and negative; users and items: rows of `width`.
Values negative_cosines(std::span<const Triplet> batch, const Values& users, const Values& items,
                        std::int64_t width);

/// A margin far from all cosines, with some on either side if possible: the middle of the widest gap
/// between those of the middle half.
double margin_between(Values cosines);

/// Triplets for sampled_contrast: options.batch_size pairs a batch, kContrastNegatives negatives each.
Triplets make_contrasted(Backend& backend, const Graph& graph, const GradcheckOptions& options,
                         Seed seed);
/// The triplets of the first batch.
std::vector<Triplet> first_batch(Backend& backend, const Triplets& triplets);

/// Options of sampled_contrast with which no term vanishes, and no cosine of the batch is near the
/// margin.
SampledContrastOptions contrast_options(SampledContrastKind kind, std::span<const Triplet> batch,
                                        const Values& users, const Values& items,
                                        std::int64_t width);

}  // namespace tern::gradcheck_detail
