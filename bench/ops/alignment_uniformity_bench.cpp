// alignment_uniformity: DirectAU's loss and gradient of one batch of pairs.

#include "bench/support/batch.hpp"
#include "bench/support/case.hpp"

namespace tern::bench {
namespace {

void run(Backend& backend, BatchTables& t) {
  backend.alignment_uniformity(t.triplets, {.uniformity_weight = 1.0}, t.users, t.items,
                               t.grad_users, t.grad_items, t.losses);
}

PreparedCase prepare(Workload& w) {
  PreparedCase ready = prepare_on_batch("alignment_uniformity", w, kPoison, run);
  ready.cost = alignment_uniformity_cost(batch_triplets(w), w.width());
  return ready;
}

}  // namespace

void add_alignment_uniformity_cases(Cases& cases, DeviceKind /*device*/) {
  cases.push_back({"alignment_uniformity", "batch", "tern", Bound::kProduct, prepare, kReadsBatch});
}

}  // namespace tern::bench
