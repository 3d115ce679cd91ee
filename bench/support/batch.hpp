#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "bench/support/case.hpp"
#include "bench/support/workload.hpp"

namespace tern::bench {

/// An epoch's triplets on a backend, the same on every backend; the first batch is current.
Triplets first_batch(const Workload& workload, Backend& backend, const Graph& graph);

/// The number of triplets of the first batch.
std::int64_t batch_triplets(const Workload& workload);

/// The distinct rows of the first batch: its users, and its items.
class BatchRows {
 public:
  explicit BatchRows(const Workload& workload);
  const std::vector<NodeId>& operator[](Side side) const {
    return rows_[static_cast<std::size_t>(side)];
  }

 private:
  std::array<std::vector<NodeId>, 2> rows_;
};

/// The distinct rows of both sides as ids 0, 1, ..., in rounds, each in another order: as often as ops
/// of a batch gather a row at most, so that the first touch of a row hardly counts.
inline constexpr std::int64_t kBatchRounds = 16;
std::vector<NodeId> batch_gathers(const Workload& workload);

/// Data for the ops of a batch on one backend: tables, their gradients, triplets, losses.
struct BatchTables {
  BatchTables(const Workload& workload, Backend& backend, const Graph& graph);
  /// Fills gradients with the value, and losses with NaN.
  void reset(Backend& backend, double gradient);

  Matrix users;
  Matrix items;
  Matrix grad_users;
  Matrix grad_items;
  Triplets triplets;
  Matrix losses;
};

/// A case whose op runs on BatchTables, without its cost. gradient: what its gradients hold before.
PreparedCase prepare_on_batch(std::string_view op, Workload& workload, double gradient,
                              std::function<void(Backend&, BatchTables&)> run);

/// Throws Error unless gradients and losses on the workload's backend equal the reference's.
void expect_equal_batch(std::string_view op, const Workload& workload, const BatchTables& found,
                        const BatchTables& expected);

}  // namespace tern::bench
