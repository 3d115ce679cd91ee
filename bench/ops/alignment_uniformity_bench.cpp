// alignment_uniformity: DirectAU's loss and gradient of one batch of pairs.

#include <algorithm>
#include <memory>

#include "bench/support/batch.hpp"
#include "bench/support/case.hpp"
#include "bench/support/once.hpp"

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
  ready.reset = [&w, tables] { tables->reset(w.backend(), kPoison); };
  const auto expected = once([&w] {
    BatchTables wanted(w, w.reference(), w.reference_graph());
    wanted.reset(w.reference(), kPoison);
    run(w.reference(), wanted);
    return wanted;
  });
  ready.verify = [&w, tables, expected] {
    expect_equal_batch("alignment_uniformity", w, *tables, expected());
  };
  return ready;
}

}  // namespace

void add_alignment_uniformity_cases(Cases& cases, DeviceKind /*device*/) {
  cases.push_back({"alignment_uniformity", "batch", "tern", Bound::kProduct, prepare});
}

}  // namespace tern::bench
