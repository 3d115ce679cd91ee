// l2_penalty: the penalty of one batch's rows and its gradient.

#include <memory>

#include "bench/support/batch.hpp"
#include "bench/support/case.hpp"
#include "bench/support/once.hpp"

namespace tern::bench {
namespace {

void run(Backend& backend, BatchTables& t) {
  backend.l2_penalty(t.triplets, 1e-4, t.users, t.items, t.grad_users, t.grad_items, t.losses);
}

PreparedCase prepare(Workload& w) {
  auto tables = std::make_shared<BatchTables>(w, w.backend(), w.graph());
  const BatchRows rows(w);
  PreparedCase ready;
  ready.cost = l2_penalty_cost(
      static_cast<std::int64_t>(rows[Side::kUser].size() + rows[Side::kItem].size()), w.width());
  ready.run = [&w, tables] { run(w.backend(), *tables); };
  ready.reset = [&w, tables] { tables->reset(w.backend(), 0.0); };
  const auto expected = once([&w] {
    BatchTables wanted(w, w.reference(), w.reference_graph());
    wanted.reset(w.reference(), 0.0);
    run(w.reference(), wanted);
    return wanted;
  });
  ready.verify = [&w, tables, expected] {
    expect_equal_batch("l2_penalty", w, *tables, expected());
  };
  return ready;
}

}  // namespace

void add_l2_penalty_cases(Cases& cases, DeviceKind /*device*/) {
  cases.push_back({"l2_penalty", "batch", "tern", Bound::kGather, prepare});
}

}  // namespace tern::bench
