#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "tern/types.hpp"

namespace tern::cuda {

struct Queue;

/// One side of a window of batches: from its triplets to the distinct rows of each batch and their
/// occurrences, in the layout of OccurrencesView. n occurrences: one a triplet (users, and items of
/// pairs) or two (items), at most 2³¹ - 1. All pointers on the device.
struct PlanTask {
  Side side = Side::kUser;
  const Triplet* triplets = nullptr;
  int items_per_triplet = 2;  // 1: pairs
  std::int64_t num_triplets = 0;
  std::int64_t batch_size = 0;
  int row_bits = 0;  // rows < 2^row_bits

  std::uint64_t* keys = nullptr;        // (n) workspace: batch of the window << row_bits | row
  std::uint64_t* sorted = nullptr;      // (n) workspace
  std::int32_t* unsorted = nullptr;     // (n) workspace: occurrences, in the order of the triplets
  std::int32_t* runs = nullptr;         // (n) workspace: number of distinct rows so far
  std::int32_t* occurrences = nullptr;  // (n)
  NodeId* rows = nullptr;               // (n at the most)
  std::int32_t* starts = nullptr;       // (n + 1 at the most)
  std::int32_t* first_row = nullptr;    // (batches + 1): the batch's first index into rows

  constexpr std::int64_t occurrences_per_triplet() const {
    return side == Side::kUser ? 1 : items_per_triplet;
  }
  constexpr std::int64_t size() const { return num_triplets * occurrences_per_triplet(); }
  constexpr std::int64_t batches() const { return (num_triplets - 1) / batch_size + 1; }
};

/// Bytes that a triplet of the window and its plan take: 12 for the triplet; 12 each for the
/// occurrence, row and start of a user and two items; and the scratch of the larger side (2 · 24).
inline constexpr std::int64_t kPlanBytesPerTriplet = 12 + 3 * 12 + 2 * 24;
/// The most triplets of a window: occurrences, two a triplet on the item side, are counted in 32
/// bits.
inline constexpr std::int64_t kMaxPlanned = std::numeric_limits<std::int32_t>::max() / 2;

/// Batches that are drawn and planned at a time: the whole epoch, or as many as the limits allow,
/// and at least one. num_batches >= 1, 1 <= batch_size <= kMaxPlanned.
constexpr std::int64_t window_batches(std::int64_t num_batches, std::int64_t batch_size,
                                      std::int64_t plan_bytes) {
  std::int64_t triplets = plan_bytes / kPlanBytesPerTriplet;
  if (triplets > kMaxPlanned) triplets = kMaxPlanned;
  const std::int64_t batches = triplets / batch_size;
  return batches < 1 ? 1 : batches < num_batches ? batches : num_batches;
}

/// Bytes of temporary storage for planning n occurrences.
std::size_t plan_bytes(std::int64_t n);

/// Sorts the occurrences by (batch, row), keeping their order, and lists the distinct rows.
/// Nothing waits; the same result every time. temporary: plan_bytes(n).
void launch_plan(const Queue& queue, const PlanTask& task, void* temporary, std::size_t bytes);

}  // namespace tern::cuda
