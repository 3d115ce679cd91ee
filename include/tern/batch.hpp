#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "tern/backend.hpp"

namespace tern {

/// The batch that a loss works on: the current one of an epoch's triplets. A handle, passed by reference;
/// it must not outlive backend and triplets.
///
/// A recorded step is replayed for every batch of the epoch, so that within it only ops, which take
/// triplets(), know which batch is current. The functions that read throw ShapeError there; number(), size()
/// and read() also throw it before the first sample(), when read_rows() finds no rows.
class Batch {
 public:
  Batch(Backend& backend, Triplets& triplets) : backend_(&backend), triplets_(&triplets) {}

  /// The epoch's triplets, as ops take them: the device's view. It has no pointer: only the backend knows their layout.
  Triplets& triplets() const noexcept { return *triplets_; }
  /// The most triplets that a batch has; only the last one of an epoch may have fewer.
  std::int64_t capacity() const noexcept { return triplets_->batch_size(); }
  /// M. The triplets of a pair are consecutive: pair k has the triplets [k · max(1, M), (k + 1) · max(1, M)).
  int negatives_per_positive() const noexcept { return triplets_->negatives_per_positive(); }
  /// The distinct rows of one side, as ops take them.
  const RowSet& rows(Side side) const noexcept { return triplets_->rows(side); }

  // --- Outside of a recorded step only --------------------------------------------------------------

  /// Its number in the epoch, from 0: the column of `losses` that belongs to it.
  std::int64_t number() const { return backend_->batch_number(*triplets_); }
  /// Its triplets.
  std::int64_t size() const {
    return std::min(capacity(), triplets_->size() - number() * capacity());
  }
  /// Its triplets, on the host. Waits.
  std::vector<Triplet> read() const { return backend_->get_batch(*triplets_); }
  /// The ids of the distinct rows of one side, ascending: its users, or its positive and negative items.
  /// Waits.
  std::vector<NodeId> read_rows(Side side) const { return backend_->get_rows(rows(side)); }

 private:
  Backend* backend_;
  Triplets* triplets_;
};

}  // namespace tern
