#pragma once

#include <array>
#include <vector>

#include "bench/support/workload.hpp"

namespace tern::bench {

/// An epoch's triplets on a backend, all backends the same, of which the first batch is current.
Triplets first_batch(const Workload& workload, Backend& backend, const Graph& graph);

/// The distinct rows of that batch on either side.
class BatchRows {
 public:
  explicit BatchRows(const Workload& workload);
  const std::vector<NodeId>& operator[](Side side) const {
    return rows_[static_cast<std::size_t>(side)];
  }

 private:
  std::array<std::vector<NodeId>, 2> rows_;
};

}  // namespace tern::bench
