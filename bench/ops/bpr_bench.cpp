// bpr: loss and gradient of one batch, with triplets and occurrence lists prepared.

#include "bench/support/batch.hpp"
#include "bench/support/case.hpp"

namespace tern::bench {
namespace {

void run(Backend& backend, BatchTables& t) {
  backend.bpr(t.triplets, t.users, t.items, t.grad_users, t.grad_items, t.losses);
}

PreparedCase prepare(Workload& w) {
  PreparedCase ready = prepare_on_batch("bpr", w, kPoison, run);
  const BatchRows rows(w);
  ready.cost = bpr_cost(batch_triplets(w), static_cast<std::int64_t>(rows[Side::kUser].size()),
                        static_cast<std::int64_t>(rows[Side::kItem].size()), w.width());
  return ready;
}

}  // namespace

void add_bpr_cases(Cases& cases, DeviceKind /*device*/) {
  cases.push_back({"bpr", "batch", "tern", Bound::kGather, prepare, kReadsBatch});
}

}  // namespace tern::bench
