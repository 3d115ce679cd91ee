#pragma once

#include <cstdint>

#include "cuda/support/rows.hpp"
#include "tern/types.hpp"

namespace tern::cuda {

/// Which batch is current. In device memory: a recorded step reads it, next_batch updates it.
struct BatchState {
  std::int64_t batch = 0;
  /// The first batch of the window, that is of those drawn and planned; the members below count
  /// from the begin of the window.
  std::int64_t window_first = 0;
  /// The current batch has triplets [first, first + count) of the window.
  std::int64_t first = 0;
  std::int64_t count = 0;
  /// Where the current batch's distinct users and items lie among those of the window.
  RowSpan rows[2] = {};
  std::uint32_t blocks_done = 0;  // of a launch of next_batch; 0 between launches
};

/// The distinct rows of one side, batch after batch, and where each occurs: rows[r] has the
/// ascending occurrences[starts[r] .. starts[r + 1]). An occurrence of a user is the index t of a
/// triplet in its batch; one of an item is 2t as the positive, 2t + 1 as the negative of triplet t.
/// Pairs have no occurrences 2t + 1.
struct OccurrencesView {
  const NodeId* rows = nullptr;
  const std::int32_t* starts = nullptr;
  const std::int32_t* occurrences = nullptr;
  std::int64_t capacity = 0;  // the most distinct rows that a batch can have
};

/// By node of one side: whether it is a row of the current batch, and if so the which-th. Null without
/// a plan.
struct RowPlaces {
  const std::uint8_t* marks = nullptr;
  const std::int32_t* places = nullptr;
};

/// The batches as losses see them.
struct BatchView {
  const BatchState* state = nullptr;
  const Triplet* triplets = nullptr;  // of the window
  OccurrencesView sides[2] = {};      // [Side]
  std::int64_t batch_size = 0;
};

}  // namespace tern::cuda
