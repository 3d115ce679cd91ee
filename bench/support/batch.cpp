#include "bench/support/batch.hpp"

#include <algorithm>

namespace tern::bench {

Triplets first_batch(const Workload& workload, Backend& backend, const Graph& graph) {
  Triplets triplets = backend.make_triplets(graph, Workload::sampling(), Workload::kBatchSize);
  backend.set_triplets(triplets, workload.epoch());
  return triplets;
}

BatchRows::BatchRows(const Workload& workload) {
  const std::vector<Triplet>& epoch = workload.epoch();
  const auto count = std::min(epoch.size(), static_cast<std::size_t>(Workload::kBatchSize));
  for (std::size_t t = 0; t < count; ++t) {
    rows_[0].push_back(epoch[t].user);
    rows_[1].push_back(epoch[t].positive);
    rows_[1].push_back(epoch[t].negative);
  }
  for (std::vector<NodeId>& rows : rows_) {
    std::ranges::sort(rows);
    rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  }
}

}  // namespace tern::bench
