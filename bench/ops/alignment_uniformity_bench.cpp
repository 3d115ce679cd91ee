// alignment_uniformity: DirectAU's loss and gradient of one batch of pairs.

#include <algorithm>
#include <memory>

#include "bench/support/batch.hpp"
#include "bench/support/case.hpp"

namespace tern::bench {
namespace {

void run(Backend& backend, BatchTables& t) {
  backend.alignment_uniformity(t.triplets, {.uniformity_weight = 1.0}, t.users, t.items,
                               t.grad_users, t.grad_items, t.losses);
}

PreparedCase prepare(Workload& w) {
  auto tables = std::make_shared<BatchTables>(w, w.backend(), w.graph());
  PreparedCase ready;
  ready.cost = alignment_uniformity_cost(
      std::min(tables->triplets.size(), tables->triplets.batch_size()), w.width());
  ready.run = [&w, tables] { run(w.backend(), *tables); };
  ready.verify = [&w, tables] {
    BatchTables expected(w, w.reference(), w.reference_graph());
    run(w.reference(), expected);
    run(w.backend(), *tables);
    expect_equal_batch("alignment_uniformity", w, *tables, expected);
  };
  return ready;
}

}  // namespace

void add_alignment_uniformity_cases(Cases& cases, DeviceKind /*device*/) {
  cases.push_back({"alignment_uniformity", "batch", "tern", Bound::kProduct, prepare});
}

}  // namespace tern::bench
