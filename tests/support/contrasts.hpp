#pragma once

#include <cstdint>
#include <vector>

#include "tern/backend.hpp"
#include "tests/support/matrices.hpp"
#include "tests/support/pairs.hpp"

namespace tern::test {

/// An epoch of pairs with M negatives each over a graph, and the embeddings of both sides.
struct ContrastProblem {
  Interactions graph;
  std::vector<Triplet> triplets;
  int negatives;       // M
  std::int64_t batch;  // triplets of a batch
  std::int64_t width;
  Values users, items;
};

/// `pairs` interactions, each with M negatives. Items are few, so that they occur often, twice with one
/// pair and as the positives of others.
ContrastProblem contrast_problem_of(std::int64_t pairs, int negatives, std::int64_t batch_pairs,
                                    std::int64_t width, double scale = 1.0);

/// Outputs of a loss for one batch, poisoned before the call.
struct ContrastOutputs {
  Values grad_users, grad_items, losses;
};

/// The outputs of a loss for every batch. Of the sampling options, the problem decides on positives and
/// M; the law of negatives matters to a loss that corrects for it.
std::vector<ContrastOutputs> run_sampled_loss(Backend& backend, const ContrastProblem& problem,
                                              const PairLoss& loss, SamplingOptions sampling = {});

/// Those of sampled_contrast.
std::vector<ContrastOutputs> run_contrast(Backend& backend, const ContrastProblem& problem,
                                          const SampledContrastOptions& options);

/// Expects the same bits from two calls.
void expect_contrast_repeats(Backend& backend, const ContrastProblem& problem,
                             const SampledContrastOptions& options);

}  // namespace tern::test
