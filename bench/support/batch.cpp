#include "bench/support/batch.hpp"

#include <algorithm>
#include <limits>
#include <string>

#include "bench/support/compare.hpp"

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

std::vector<NodeId> batch_gathers(const Workload& workload) {
  const BatchRows batch(workload);
  const auto rows = static_cast<NodeId>(batch[Side::kUser].size() + batch[Side::kItem].size());
  std::vector<NodeId> ids;
  for (NodeId round = 0; round < kBatchRounds; ++round) {
    for (NodeId row = 0; row < rows; ++row) {
      // A large step visits the rows out of order.
      ids.push_back(static_cast<NodeId>(
          (static_cast<std::int64_t>(row) * 40503 + std::int64_t{round} * 977) % rows));
    }
  }
  return ids;
}

BatchTables::BatchTables(const Workload& workload, Backend& backend, const Graph& graph)
    : users(workload.table(backend, Side::kUser, 1)),
      items(workload.table(backend, Side::kItem, 2)),
      grad_users(backend.allocate(users.rows(), users.cols())),
      grad_items(backend.allocate(items.rows(), items.cols())),
      triplets(first_batch(workload, backend, graph)),
      losses(backend.allocate(2, triplets.num_batches())) {}

void BatchTables::reset(Backend& backend, double gradient) {
  backend.fill(grad_users, gradient);
  backend.fill(grad_items, gradient);
  backend.fill(losses, std::numeric_limits<double>::quiet_NaN());
}

void expect_equal_batch(std::string_view op, const Workload& workload, const BatchTables& found,
                        const BatchTables& expected) {
  const auto compare = [&](const char* part, const Matrix& matrix, const Matrix& wanted) {
    expect_equal(std::string(op) + ", " + part, workload.backend(), matrix, workload.reference(),
                 wanted);
  };
  compare("gradient of users", found.grad_users, expected.grad_users);
  compare("gradient of items", found.grad_items, expected.grad_items);
  compare("losses", found.losses, expected.losses);
}

}  // namespace tern::bench
