#pragma once

#include <cstdint>

#include "tern/backend.hpp"

namespace tern {

/// The places of a batch's triplets among the rows and columns of its logits. Row q is a pair (u, p).
/// Without negatives, M = 0, each triplet is a pair, and column q is the item of pair q. Else the M
/// consecutive triplets of a pair hold its sampled negatives, and with P pairs column P + t is the
/// negative of triplet t.
struct PairLayout {
  std::int32_t negatives = 0;  // M

  TERN_HD constexpr std::int64_t rows(std::int64_t triplets) const {
    return negatives == 0 ? triplets : triplets / negatives;
  }
  TERN_HD constexpr std::int64_t columns(std::int64_t triplets) const {
    return negatives == 0 ? triplets : triplets / negatives + triplets;
  }
  /// The first triplet of a row.
  TERN_HD constexpr std::int64_t triplet(std::int64_t row) const {
    return negatives == 0 ? row : row * negatives;
  }
  /// The item of a column; batch: the batch's triplets.
  TERN_HD constexpr NodeId item(const Triplet* batch, std::int64_t column,
                                std::int64_t triplets) const {
    if (negatives == 0) return batch[column].positive;
    const std::int64_t sample = column - rows(triplets);
    return sample >= 0 ? batch[sample].negative : batch[column * negatives].positive;
  }
  /// The row or column of an occurrence (t of a user, 2t and 2t + 1 of an item as positive and negative
  /// of triplet t); -1 if it has none.
  TERN_HD constexpr std::int32_t place(Side side, std::int32_t occurrence,
                                       std::int64_t triplets) const {
    const bool of_negative = side == Side::kItem && occurrence % 2 != 0;
    const std::int32_t t = side == Side::kItem ? occurrence / 2 : occurrence;
    if (negatives == 0) return of_negative ? -1 : t;
    if (of_negative) return static_cast<std::int32_t>(rows(triplets) + t);
    return t % negatives == 0 ? t / negatives : -1;
  }
};

/// The layout of in_batch_softmax with these options.
inline PairLayout layout_of(const Triplets& triplets, const InBatchSoftmaxOptions& options) {
  const bool samples = options.columns == SoftmaxColumns::kPairsAndNegatives;
  return {samples ? triplets.negatives_per_positive() : 0};
}

}  // namespace tern
