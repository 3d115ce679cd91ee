#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tern/types.hpp"

namespace tern {

/// The U×I interaction matrix R on the host, as CSR: the item ids of a user strictly ascend.
/// Users and items without interactions are allowed. Memory: 8 (U + 1) + 4 E bytes.
class Interactions {
 public:
  Interactions() : offsets_(1, 0) {}

  /// Takes a finished CSR. Throws ShapeError unless offsets has U + 1 ascending entries from 0 to
  /// items.size(), and every row is strictly ascending within [0, num_items).
  Interactions(NodeId num_users, NodeId num_items, std::vector<EdgeOffset> offsets,
               std::vector<NodeId> items);

  /// Builds the CSR from pairs in any order, O(U + E log d), d the largest degree, in parallel. Repeated
  /// pairs are kept once; the number of those left out is added to *duplicates. Throws ShapeError on an
  /// id out of range. The result does not depend on the number of threads.
  static Interactions from_pairs(NodeId num_users, NodeId num_items,
                                 std::span<const Interaction> pairs,
                                 std::int64_t* duplicates = nullptr);

  NodeId num_users() const noexcept { return static_cast<NodeId>(offsets_.size() - 1); }
  NodeId num_items() const noexcept { return num_items_; }
  EdgeOffset size() const noexcept { return static_cast<EdgeOffset>(items_.size()); }

  /// The items of one user, ascending.
  std::span<const NodeId> row(NodeId user) const;

  std::span<const EdgeOffset> offsets() const noexcept { return offsets_; }
  std::span<const NodeId> items() const noexcept { return items_; }

  /// Rᵀ: the users of every item. O(U + I + E).
  Interactions transposed() const;

  friend bool operator==(const Interactions&, const Interactions&) = default;

 private:
  NodeId num_items_ = 0;
  std::vector<EdgeOffset> offsets_;
  std::vector<NodeId> items_;
};

}  // namespace tern
