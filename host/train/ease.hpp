#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "host/train/item_scorer.hpp"
#include "tern/baselines.hpp"

namespace tern {

/// Throws ConfigError beyond kMaxEaseItems.
void check_ease_items(NodeId items);

/// Bytes that EASE takes at its peak, rankings of length k of all users included.
std::int64_t ease_bytes(std::int64_t users, std::int64_t items, std::int64_t k);

/// EASE, see ease_rankings(): scores Σ_i B_ij over the items i of a history.
class Ease final : public ItemScorer {
 public:
  static constexpr char kWeights[] = "item_weights";
  enum class Precision : std::uint8_t { kSingle, kDouble };
  static Precision precision_for(std::int64_t items);

  /// Computes B. Throws as ease_rankings() does; k: the length of the rankings to come.
  Ease(const Interactions& train, const EaseOptions& options, const BaselineProgress& progress = {},
       std::int64_t k = 0);
  /// The same in this precision, for tests.
  Ease(const Interactions& train, const EaseOptions& options, const BaselineProgress& progress,
       Precision precision, std::int64_t k = 0);

  /// From the arrays of another one's take_arrays(). Throws DataError, naming the file, if they are
  /// not those of EASE of so many items.
  Ease(TensorFile arrays, NodeId items, std::string_view file);

  /// B, (I, I) row-major: row i holds what having item i adds to the score of each item.
  std::span<const float> weights() const { return weights_; }

  NodeId num_items() const override { return items_; }
  std::unique_ptr<Scratch> make_scratch() const override { return std::make_unique<Scratch>(); }
  void score(std::span<const History> histories, Scratch& scratch,
             MatrixView<double> scores) const override;
  /// item_weights: B.
  TensorFile take_arrays() override;

 private:
  NodeId items_;
  std::vector<float> weights_;
};

}  // namespace tern
