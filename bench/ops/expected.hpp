#pragma once

#include <cstdint>
#include <vector>

#include "bench/support/costs.hpp"
#include "bench/support/workload.hpp"

namespace tern::bench {

// Inputs, answers and costs that the cases of an op share with its rivals, which do not run through
// the seam.

enum class Addend : std::uint8_t { kNone, kFull };
enum class Subset : std::uint8_t { kAll, kToBatch, kFromBatch };

/// "users" or "items": how variants name a side.
const char* side_name(Side side);

/// The cost of a propagation to one side, by the edges and rows that it touches.
/// gathered_value: bytes of an element of the source.
Cost cost_of_propagation(const Workload& workload, Side to, Addend addend, Subset subset,
                         double gathered_value = 4.0);

/// The propagation of table_values(opposite(to), 1), all of it or from the batch's rows.
std::vector<double> expected_propagation(const Workload& workload, Side to, Subset subset);

/// The item table (salt 2) after a first step by gradients of salt 1, with the defaults.
std::vector<double> expected_adam(const Workload& workload);
std::vector<double> expected_sgd(const Workload& workload);

/// score_topk: the first kQueries users, or all if there are fewer, and kBestItems items for each.
inline constexpr std::int64_t kQueries = 2048;
inline constexpr std::int64_t kBestItems = 20;
std::vector<NodeId> queries_of(const Workload& workload);
Cost cost_of_score_topk(const Workload& workload);

/// Compares the top lists of a few queries (users of salt 1, items of salt 2, observed items left
/// out) with the reference's, which sorts all items. Scores must agree; another item is correct if
/// its score equals the reference's up to rounding. Throws Error.
void expect_best_items(const Workload& workload, const TopItems& found);

}  // namespace tern::bench
