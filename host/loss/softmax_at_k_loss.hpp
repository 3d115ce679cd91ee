#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "tern/backend.hpp"
#include "tern/loss.hpp"

namespace tern {

/// Users whose lists of k items SoftmaxAtKLoss measures at a time: lists of 8 MB at most.
NodeId users_at_once(std::int64_t k);

/// SL@K with an L2 penalty: softmax in which a pair (u, p) with cosine s⁺ is weighted by
/// w = sigmoid((s⁺ - β_u) / τ_w), so that the pairs that decide the first K places of a ranking count
/// most:
///   1/P Σ w [ -s⁺/τ + t₂ log Σ_j exp(s_j / τ) ] + λ/(2P) Σ (‖e_u‖² + ‖e_p‖² + 1/M Σ_k ‖e_k‖²)
/// over the items of the batch's other pairs, by Backend::in_batch_softmax (without the term of e_k),
/// over these and the sampled items of all pairs, by the same op, or over M sampled items of each pair,
/// by Backend::sampled_contrast. w is part of what is derived.
///
/// β_u is the K-th best cosine of user u over all I items, those of training included (the worst if
/// I < K), measured before the epochs 1 + refresh_every, 1 + 2 refresh_every, ..., and 0 before the
/// first of these. The authors' code estimates it from the user's items and 1000 sampled ones, which
/// is biased low; here it is exact. A user without a finite cosine gets 0.
/// Source: Yang et al. 2025, "Breaking the Top-K Barrier: Advancing Top-K Ranking Metrics Optimization
/// in Recommender Systems" (KDD 2025).
class SoftmaxAtKLoss final : public Loss {
 public:
  /// Reads negatives, softmax and at_k.
  SoftmaxAtKLoss(Backend& backend, const LossOptions& options, double l2, NodeId num_users);

  std::string_view name() const override { return "sl@k"; }
  /// "loss.thresholds", (1, U): β.
  std::vector<NamedBuffer> buffers() override { return {{"loss.thresholds", &thresholds_}}; }
  void begin_epoch(Model& model, int epoch, const std::function<bool()>& should_stop) override;
  void backward(Model& model, Batch& batch, Matrix& losses) override {
    softmax_->backward(model, batch, losses);
  }

 private:
  Backend& backend_;
  AtKOptions options_;
  Matrix thresholds_;
  std::unique_ptr<Loss> softmax_;  // over loss.negatives, weighted by the thresholds
};

}  // namespace tern
