#pragma once

#include <cstdint>

#include "cuda/ops/rows.hpp"
#include "tern/types.hpp"

namespace tern::cuda {

/// Which batch is current, in device memory: a recorded step reads it, next_batch moves it on.
struct BatchState {
  std::int64_t batch = 0;
  /// The first of the batches that are drawn and planned; what follows counts from its start.
  std::int64_t window_first = 0;
  /// The current batch's triplets: [first, first + count) of the window's.
  std::int64_t first = 0;
  std::int64_t count = 0;
  /// The current batch's distinct rows, of users and of items, among the window's.
  RowSpan rows[2] = {};
};

/// The distinct rows of one side, batch after batch, and where each occurs: row r (an index into
/// rows) in occurrences[starts[r] .. starts[r + 1]), ascending. Of a user: triplet t of its batch.
/// Of an item: 2t as the positive, 2t + 1 as the negative of triplet t.
struct OccurrencesView {
  const NodeId* rows = nullptr;
  const std::int32_t* starts = nullptr;
  const std::int32_t* occurrences = nullptr;
  std::int64_t capacity = 0;  // the most distinct rows that a batch can have
};

/// What bpr and l2_penalty know of the batches.
struct BatchView {
  const BatchState* state = nullptr;
  const Triplet* triplets = nullptr;  // the window's
  OccurrencesView sides[2] = {};      // [Side]
  std::int64_t batch_size = 0;
};

}  // namespace tern::cuda
