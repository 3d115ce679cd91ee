#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "host/train/item_scorer.hpp"
#include "tern/baselines.hpp"

namespace tern {

/// The signal that the linear filter is applied to.
enum class FilterSignal : std::uint8_t {
  kNormalized,  // rows of R̃, up to the user's own scale: a positive factor of the whole row
  kPlain,       // rows of R
};

/// The linear filter: scores x R̃ᵀR̃, x the signal of a history. Never holds R̃ᵀR̃.
class LinearFilter final : public ItemScorer {
 public:
  /// train must outlive it.
  LinearFilter(const Interactions& train, FilterSignal signal);

  NodeId num_items() const override { return by_user_.num_items(); }
  std::unique_ptr<Scratch> make_scratch() const override;
  void score(std::span<const History> histories, Scratch& scratch,
             MatrixView<double> scores) const override;

  const Interactions& by_user() const { return by_user_; }
  const Interactions& by_item() const { return by_item_; }
  const std::vector<double>& user_scales() const { return user_scales_; }
  const std::vector<double>& item_scales() const { return item_scales_; }

 private:
  const Interactions& by_user_;
  Interactions by_item_;
  std::vector<double> user_scales_, item_scales_;  // 1/sqrt(degree), 0 for degree 0
  std::vector<double> signal_;                     // by item: the weight of an item in a history
};

struct GfCfScratch;

/// Bytes that GF-CF takes besides the interactions.
struct GfCfMemory {
  std::int64_t vectors = 0;  // while the singular vectors are computed
  std::int64_t ranking = 0;  // while users are ranked
  std::int64_t kept = 0;     // at both times

  std::int64_t peak() const { return (vectors > ranking ? vectors : ranking) + kept; }
};
/// k: the length of the rankings of all users.
GfCfMemory gf_cf_memory(std::int64_t users, std::int64_t items, int rank, std::int64_t k);

/// GF-CF: the linear filter of the rows of R, and α times the ideal low-pass filter
/// x D_i^-½ V Vᵀ D_i^½, V: (I, rank) the leading right singular vectors of R̃.
class GfCf final : public ItemScorer {
 public:
  /// train must outlive it. Throws MemoryError if memory is short, rankings of length k included, and
  /// ConfigError on options out of range.
  GfCf(const Interactions& train, const GfCfOptions& options, const BaselineProgress& progress,
       std::int64_t k = 0);

  /// The same from the arrays of another one's take_arrays(), of the same interactions. Throws
  /// DataError, naming the file, if they are not those of GF-CF of so many items.
  GfCf(const Interactions& train, const GfCfOptions& options, TensorFile arrays,
       std::string_view file);

  NodeId num_items() const override { return linear_.num_items(); }
  std::unique_ptr<Scratch> make_scratch() const override;
  void score(std::span<const History> histories, Scratch& scratch,
             MatrixView<double> scores) const override;
  /// item_vectors: V, (I, rank).
  TensorFile take_arrays() override;

  static constexpr char kVectors[] = "item_vectors";

 private:
  void set_roots();
  void add_low_pass(std::span<const History> histories, GfCfScratch& scratch,
                    MatrixView<double> scores) const;

  LinearFilter linear_;
  double alpha_;
  std::int64_t rank_ = 0;
  std::vector<float> vectors_;  // V
  std::vector<double> roots_;   // by item: α sqrt(degree)
};

}  // namespace tern
