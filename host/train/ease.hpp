#pragma once

#include <memory>
#include <vector>

#include "host/train/item_scorer.hpp"
#include "tern/baselines.hpp"

namespace tern {

/// EASE, see ease_rankings(): scores Σ_i B_ij over the items i of a history.
class Ease final : public ItemScorer {
 public:
  enum class Precision : std::uint8_t { kSingle, kDouble };
  static Precision precision_for(NodeId items);

  /// Computes B. Throws as ease_rankings() does.
  Ease(const Interactions& train, const EaseOptions& options,
       const BaselineProgress& progress = {});
  /// The same in this precision, for tests.
  Ease(const Interactions& train, const EaseOptions& options, const BaselineProgress& progress,
       Precision precision);

  /// B, (I, I) row-major: row i holds what having item i adds to the score of each item.
  std::span<const float> weights() const { return weights_; }

  NodeId num_items() const override { return items_; }
  std::unique_ptr<Scratch> make_scratch() const override { return std::make_unique<Scratch>(); }
  void score(std::span<const History> histories, Scratch& scratch,
             MatrixView<double> scores) const override;

 private:
  NodeId items_;
  std::vector<float> weights_;
};

}  // namespace tern
