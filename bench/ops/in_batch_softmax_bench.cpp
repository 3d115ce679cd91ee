// in_batch_softmax: loss and gradient of one batch of pairs, with occurrence lists prepared, at the
// temperature that is published for Gowalla.

#include <algorithm>
#include <memory>

#include "bench/support/batch.hpp"
#include "bench/support/case.hpp"
#include "bench/support/once.hpp"

namespace tern::bench {
namespace {

void run(Backend& backend, BatchTables& t) {
  backend.in_batch_softmax(t.triplets, {.temperature = 0.12}, t.users, t.items, t.grad_users,
                           t.grad_items, t.losses);
}

PreparedCase prepare(Workload& w) {
  auto tables = std::make_shared<BatchTables>(w, w.backend(), w.graph());
  PreparedCase ready;
  ready.cost = in_batch_softmax_cost(
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
    expect_equal_batch("in_batch_softmax", w, *tables, expected());
  };
  return ready;
}

}  // namespace

void add_in_batch_softmax_cases(Cases& cases, DeviceKind /*device*/) {
  cases.push_back({"in_batch_softmax", "batch", "tern", Bound::kProduct, prepare});
}

}  // namespace tern::bench
