// bpr: loss and gradient of one batch, with triplets and occurrence lists prepared.

#include <algorithm>
#include <memory>

#include "bench/support/batch.hpp"
#include "bench/support/case.hpp"
#include "bench/support/once.hpp"

namespace tern::bench {
namespace {

void run(Backend& backend, BatchTables& t) {
  backend.bpr(t.triplets, t.users, t.items, t.grad_users, t.grad_items, t.losses);
}

PreparedCase prepare(Workload& w) {
  auto tables = std::make_shared<BatchTables>(w, w.backend(), w.graph());
  PreparedCase ready;
  const BatchRows rows(w);
  ready.cost = bpr_cost(std::min(tables->triplets.size(), tables->triplets.batch_size()),
                        static_cast<std::int64_t>(rows[Side::kUser].size()),
                        static_cast<std::int64_t>(rows[Side::kItem].size()), w.width());
  ready.run = [&w, tables] { run(w.backend(), *tables); };
  ready.reset = [&w, tables] { tables->reset(w.backend(), kPoison); };
  const auto expected = once([&w] {
    BatchTables wanted(w, w.reference(), w.reference_graph());
    wanted.reset(w.reference(), kPoison);
    run(w.reference(), wanted);
    return wanted;
  });
  ready.verify = [&w, tables, expected] { expect_equal_batch("bpr", w, *tables, expected()); };
  return ready;
}

}  // namespace

void add_bpr_cases(Cases& cases, DeviceKind /*device*/) {
  cases.push_back({"bpr", "batch", "tern", Bound::kGather, prepare});
}

}  // namespace tern::bench
