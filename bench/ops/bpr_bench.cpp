// bpr: loss and gradient of one batch, triplets and occurrence lists already at hand.

#include <memory>

#include "bench/support/batch.hpp"
#include "bench/support/case.hpp"

namespace tern::bench {
namespace {

struct Tables {
  Tables(const Workload& w, Backend& backend, const Graph& graph)
      : users(w.table(backend, Side::kUser, 1)),
        items(w.table(backend, Side::kItem, 2)),
        grad_users(backend.allocate(users.rows(), users.cols())),
        grad_items(backend.allocate(items.rows(), items.cols())),
        triplets(first_batch(w, backend, graph)),
        losses(backend.allocate(2, triplets.num_batches())) {}

  void run(Backend& backend) {
    backend.bpr(triplets, users, items, grad_users, grad_items, losses);
  }

  Matrix users;
  Matrix items;
  Matrix grad_users;
  Matrix grad_items;
  Triplets triplets;
  Matrix losses;
};

PreparedCase prepare(Workload& w) {
  auto tables = std::make_shared<Tables>(w, w.backend(), w.graph());
  PreparedCase ready;
  const BatchRows rows(w);
  ready.cost =
      bpr_cost(tables->triplets.batch_size(), static_cast<std::int64_t>(rows[Side::kUser].size()),
               static_cast<std::int64_t>(rows[Side::kItem].size()), w.width());
  ready.run = [&w, tables] { tables->run(w.backend()); };
  ready.verify = [&w, tables] {
    Tables expected(w, w.reference(), w.reference_graph());
    expected.run(w.reference());
    tables->run(w.backend());
    expect_equal("bpr, users", w.backend(), tables->grad_users, w.reference(), expected.grad_users);
    expect_equal("bpr, items", w.backend(), tables->grad_items, w.reference(), expected.grad_items);
    expect_equal("bpr, loss", w.backend(), tables->losses, w.reference(), expected.losses);
  };
  return ready;
}

}  // namespace

void add_bpr_cases(Cases& cases, const std::string& /*device*/) {
  cases.push_back({"bpr", "batch", "tern", Bound::kGather, prepare});
}

}  // namespace tern::bench
