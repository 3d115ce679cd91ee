// dropout of the user table, in place, with probability 1/2: one case drops elements, one rows.

#include <memory>

#include "bench/support/case.hpp"
#include "bench/support/compare.hpp"

namespace tern::bench {
namespace {

DropoutOptions options_of(DropoutOptions::Unit unit) {
  return {.probability = 0.5, .unit = unit, .seed = Seed{1}};
}

PreparedCase prepare(Workload& w, DropoutOptions::Unit unit) {
  struct Table {
    explicit Table(Workload& w, Backend& backend)
        : values(w.table(backend, Side::kUser, 1)), step(backend.make_counter(1)) {}
    Matrix values;
    Counter step;
  };
  auto table = std::make_shared<Table>(w, w.backend());
  PreparedCase ready;
  ready.cost = dropout_cost(w.nodes(Side::kUser) * w.width());
  ready.run = [&w, table, unit] {
    w.backend().dropout(options_of(unit), table->step, table->values);
  };
  ready.verify = [&w, table, unit, run = ready.run] {
    Table expected(w, w.reference());
    w.reference().dropout(options_of(unit), expected.step, expected.values);
    run();
    expect_equal("dropout", w.backend(), table->values, w.reference(), expected.values);
  };
  return ready;
}

}  // namespace

void add_dropout_cases(Cases& cases, DeviceKind /*device*/) {
  using Unit = DropoutOptions::Unit;
  cases.push_back({"dropout", "user_elements", "tern", Bound::kCopy,
                   [](Workload& w) { return prepare(w, Unit::kElement); }});
  cases.push_back({"dropout", "user_rows", "tern", Bound::kCopy,
                   [](Workload& w) { return prepare(w, Unit::kRow); }});
}

}  // namespace tern::bench
