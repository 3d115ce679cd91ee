// in_batch_softmax: loss and gradient of one batch of pairs, with occurrence lists prepared, at the
// temperature that is published for Gowalla.

#include "bench/support/batch.hpp"
#include "bench/support/case.hpp"

namespace tern::bench {
namespace {

void run(Backend& backend, BatchTables& t) {
  backend.in_batch_softmax(t.triplets, {.temperature = 0.12}, t.users, t.items, t.grad_users,
                           t.grad_items, t.losses);
}

PreparedCase prepare(Workload& w) {
  PreparedCase ready = prepare_on_batch("in_batch_softmax", w, kPoison, run);
  ready.cost = in_batch_softmax_cost(batch_triplets(w), w.width());
  return ready;
}

}  // namespace

void add_in_batch_softmax_cases(Cases& cases, DeviceKind /*device*/) {
  cases.push_back({"in_batch_softmax", "batch", "tern", Bound::kProduct, prepare, kReadsBatch});
}

}  // namespace tern::bench
