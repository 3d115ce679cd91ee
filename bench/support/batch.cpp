#include "bench/support/batch.hpp"

#include <algorithm>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "bench/support/compare.hpp"
#include "bench/support/once.hpp"

namespace tern::bench {

Triplets first_batch(const Workload& workload, Backend& backend, const Graph& graph) {
  Triplets triplets = backend.make_triplets(graph, Workload::sampling(), workload.batch_size());
  backend.set_triplets(triplets, workload.epoch());
  return triplets;
}

std::int64_t batch_triplets(const Workload& workload) {
  return std::min<std::int64_t>(std::ssize(workload.epoch()), workload.batch_size());
}

BatchRows::BatchRows(const Workload& workload) {
  for (const Triplet& triplet : std::span(workload.epoch()).first(batch_triplets(workload))) {
    rows_[0].push_back(triplet.user);
    rows_[1].push_back(triplet.positive);
    rows_[1].push_back(triplet.negative);
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

PreparedCase prepare_on_batch(std::string_view op, Workload& w, double gradient,
                              std::function<void(Backend&, BatchTables&)> run) {
  auto tables = std::make_shared<BatchTables>(w, w.backend(), w.graph());
  PreparedCase ready;
  ready.run = [&w, tables, run] { run(w.backend(), *tables); };
  ready.reset = [&w, tables, gradient] { tables->reset(w.backend(), gradient); };
  const auto expected = once([&w, gradient, run = std::move(run)] {
    BatchTables wanted(w, w.reference(), w.reference_graph());
    wanted.reset(w.reference(), gradient);
    run(w.reference(), wanted);
    return wanted;
  });
  ready.verify = [op = std::string(op), &w, tables, expected] {
    expect_equal_batch(op, w, *tables, expected());
  };
  return ready;
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
