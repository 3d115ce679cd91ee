// l2_penalty: the penalty of one batch's rows and its gradient.

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
    backend.l2_penalty(triplets, 1e-4, users, items, grad_users, grad_items, losses);
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
  const BatchRows rows(w);
  PreparedCase ready;
  ready.cost = l2_penalty_cost(
      static_cast<std::int64_t>(rows[Side::kUser].size() + rows[Side::kItem].size()), w.width());
  ready.run = [&w, tables] { tables->run(w.backend()); };
  ready.verify = [&w, tables] {
    Tables expected(w, w.reference(), w.reference_graph());
    expected.run(w.reference());
    tables->run(w.backend());
    expect_equal("l2_penalty, users", w.backend(), tables->grad_users, w.reference(),
                 expected.grad_users);
    expect_equal("l2_penalty, items", w.backend(), tables->grad_items, w.reference(),
                 expected.grad_items);
    expect_equal("l2_penalty, loss", w.backend(), tables->losses, w.reference(), expected.losses);
  };
  return ready;
}

}  // namespace

void add_l2_penalty_cases(Cases& cases, const std::string& /*device*/) {
  cases.push_back({"l2_penalty", "batch", "tern", Bound::kGather, prepare});
}

}  // namespace tern::bench
