// l2_penalty: the penalty of one batch's rows and its gradient.

#include "bench/support/batch.hpp"
#include "bench/support/case.hpp"

namespace tern::bench {
namespace {

void run(Backend& backend, BatchTables& t) {
  backend.l2_penalty(t.triplets, 1e-4, t.users, t.items, t.grad_users, t.grad_items, t.losses);
}

PreparedCase prepare(Workload& w) {
  PreparedCase ready = prepare_on_batch("l2_penalty", w, 0.0, run);
  const BatchRows rows(w);
  ready.cost = l2_penalty_cost(
      static_cast<std::int64_t>(rows[Side::kUser].size() + rows[Side::kItem].size()), w.width());
  return ready;
}

}  // namespace

void add_l2_penalty_cases(Cases& cases, DeviceKind /*device*/) {
  cases.push_back({"l2_penalty", "batch", "tern", Bound::kGather, prepare, kReadsBatch});
}

}  // namespace tern::bench
