#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "host/support/lane_products.hpp"
#include "tern/interactions.hpp"
#include "tern/view.hpp"

namespace tern {

/// Scores every item from the items of a user alone: a user is no parameter, so that anybody's items
/// can be scored.
class ItemScorer {
 public:
  /// One thread's workspace.
  class Scratch {
   public:
    virtual ~Scratch() = default;
  };
  using History = std::span<const NodeId>;  // ascending item ids

  virtual ~ItemScorer() = default;
  virtual NodeId num_items() const = 0;
  virtual std::unique_ptr<Scratch> make_scratch() const = 0;
  /// scores: (histories, I), overwritten. A row depends on its history alone, to the bit. At most
  /// kMaxHistories at a time.
  virtual void score(std::span<const History> histories, Scratch& scratch,
                     MatrixView<double> scores) const = 0;

  /// The data that a call reads once, such as 256 numbers an item, are many times larger than a cache:
  /// 16 histories share each read.
  static constexpr std::int64_t kMaxHistories = kProductLanes;
};

/// By node: 1/sqrt(degree), 0 for degree 0. Rows of the interactions are nodes.
std::vector<double> inverse_roots(const Interactions& interactions);

/// Throws ShapeError if k < 1, or if the shapes of the interactions differ.
void check_rankings(const Interactions& train, std::span<const Interactions* const> observed,
                    std::int64_t k);

/// (U, k) items by the scores of each user's training items, see tern/baselines.hpp.
std::vector<NodeId> rankings_by(const ItemScorer& scorer, const Interactions& train,
                                std::span<const Interactions* const> observed, std::int64_t k);

}  // namespace tern
