#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "host/backend/checks.hpp"
#include "host/backend/pair_program.hpp"
#include "host/backend/pair_weight.hpp"
#include "host/reference/backend.hpp"
#include "host/reference/unit_rows.hpp"

namespace tern::reference {
namespace {

/// A pair's loss without the factor 1/P, and its slopes: by s⁺, and by each s_k.
struct ContrastTerm {
  double loss = 0;
  double positive = 0;
  std::vector<double> negatives;
};

ContrastTerm softmax_term(const SampledContrastOptions& options, double positive,
                          const std::vector<double>& cosines) {
  const double largest = *std::max_element(cosines.begin(), cosines.end());
  double sum = 0;
  for (const double s : cosines) sum += std::exp((s - largest) / options.temperature);
  const double t2 = options.negative_weight;
  ContrastTerm term{
      .loss = t2 * (largest / options.temperature + std::log(sum)) - positive / options.temperature,
      .positive = -1 / options.temperature,
      .negatives = {}};
  for (const double s : cosines) {
    const double share = std::exp((s - largest) / options.temperature) / sum;
    term.negatives.push_back(t2 * share / options.temperature);
  }
  return term;
}

ContrastTerm cosine_term(const SampledContrastOptions& options, double positive,
                         const std::vector<double>& cosines) {
  const double weight = options.negative_weight / static_cast<double>(cosines.size());
  ContrastTerm term{.loss = 1 - positive, .positive = -1, .negatives = {}};
  for (const double s : cosines) {
    term.loss += weight * std::max(0.0, s - options.margin);
    term.negatives.push_back(s > options.margin ? weight : 0.0);
  }
  return term;
}

ContrastTerm expression_term(const PairProgram& program, double positive,
                             const std::vector<double>& scores) {
  PairScores pair{.positive = positive, .negatives = static_cast<double>(scores.size())};
  double sums[PairProgram::kMaxSums] = {};
  for (const double s : scores) {
    pair.negative = s;
    add_pair_terms(program, pair, sums);
  }
  const PairLossSlopes slopes = pair_loss_slopes(program, pair, sums);
  ContrastTerm term{.loss = slopes.loss, .positive = slopes.positive, .negatives = {}};
  for (const double s : scores) {
    pair.negative = s;
    term.negatives.push_back(pair_negative_slope(program, pair, slopes, term.positive));
  }
  return term;
}

ContrastTerm contrast_term(const SampledContrastOptions& options, double positive,
                           const std::vector<double>& scores) {
  if (options.kind == SampledContrastKind::kSoftmax) {
    return softmax_term(options, positive, scores);
  }
  if (options.kind == SampledContrastKind::kExpression) {
    return expression_term(*options.program, positive, scores);
  }
  return cosine_term(options, positive, scores);
}

/// w · term, with the derivative of w.
ContrastTerm weighted_term(ContrastTerm term, const PairFactor& factor) {
  term.positive = factor.weight * term.positive + factor.slope * term.loss;
  term.loss *= factor.weight;
  for (double& slope : term.negatives) slope *= factor.weight;
  return term;
}

}  // namespace

// softmax: loss = 1/P Σ w [ -s⁺/τ + t₂ log Σ_k exp(s_k / τ) ], w = 1 without thresholds
// cosine contrastive: loss = 1/P Σ [ (1 - s⁺) + w/M Σ_k max(0, s_k - m) ]
// expression: loss = 1/P Σ f(s⁺, s_1..s_M)
void ReferenceBackend::sampled_contrast(Triplets& triplets, const SampledContrastOptions& options,
                                        const Matrix& users, const Matrix& items,
                                        Matrix& grad_users, Matrix& grad_items, Matrix& losses) {
  check_sampled_contrast(triplets, options, users, items, grad_users, grad_items, losses);
  constexpr std::string_view kOp = "sampled_contrast";
  const std::span<const Triplet> batch = current_batch(triplets, kOp);
  const MatrixView<double> user_grads = view(grad_users, kOp, "grad_users");
  const MatrixView<double> item_grads = view(grad_items, kOp, "grad_items");
  const std::int64_t width = users.cols();
  const auto negatives = std::int64_t{triplets.negatives_per_positive()};
  const auto pairs = static_cast<std::int64_t>(batch.size()) / negatives;

  std::vector<NodeId> user_nodes;
  std::vector<NodeId> positive_nodes;
  std::vector<NodeId> negative_nodes;
  for (std::int64_t t = 0; t < pairs * negatives; ++t) {
    const auto& [user, positive, negative] = batch[static_cast<std::size_t>(t)];
    if (t % negatives == 0) {
      user_nodes.push_back(user);
      positive_nodes.push_back(positive);
    }
    negative_nodes.push_back(negative);
    for (std::int64_t d = 0; d < width; ++d) {
      user_grads(user, d) = item_grads(positive, d) = item_grads(negative, d) = 0;
    }
  }
  UnitRows u(view(users, kOp, "users"), user_nodes, options.similarity);
  UnitRows p(view(items, kOp, "items"), positive_nodes, options.similarity);
  UnitRows n(view(items, kOp, "items"), negative_nodes, options.similarity);

  double loss = 0;
  std::vector<double> cosines(static_cast<std::size_t>(negatives));
  for (std::int64_t q = 0; q < pairs; ++q) {
    const double positive = dot(u.value(q), p.value(q), width);
    for (std::int64_t k = 0; k < negatives; ++k) {
      cosines[static_cast<std::size_t>(k)] = dot(u.value(q), n.value(q * negatives + k), width);
    }
    ContrastTerm term = contrast_term(options, positive, cosines);
    if (const Matrix* thresholds = options.pair_weight.thresholds) {
      const double threshold = view(*thresholds, kOp, "thresholds")(0, batch[q * negatives].user);
      term = weighted_term(std::move(term),
                           pair_factor(positive, threshold, options.pair_weight.temperature));
    }
    loss += term.loss;
    const double slope = term.positive / static_cast<double>(pairs);
    add(slope, p.value(q), width, u.grad(q));
    add(slope, u.value(q), width, p.grad(q));
    for (std::int64_t k = 0; k < negatives; ++k) {
      const double push = term.negatives[static_cast<std::size_t>(k)] / static_cast<double>(pairs);
      add(push, n.value(q * negatives + k), width, u.grad(q));
      add(push, u.value(q), width, n.grad(q * negatives + k));
    }
  }
  u.scatter(user_nodes, user_grads);
  p.scatter(positive_nodes, item_grads);
  n.scatter(negative_nodes, item_grads);
  const auto& storage = storage_of<TripletsStorage>(triplets, kOp, "triplets");
  view(losses, kOp, "losses")(0, storage.batch) = loss / static_cast<double>(pairs);
}

}  // namespace tern::reference
