// dropout of the user table, in place, with probability 1/2: one case drops elements, one rows.

#include <memory>

#include "bench/support/case.hpp"
#include "bench/support/compare.hpp"
#include "bench/support/once.hpp"

namespace tern::bench {
namespace {

DropoutOptions options_of(DropoutOptions::Unit unit) {
  return {.probability = 0.5, .unit = unit, .seed = Seed{1}};
}

PreparedCase prepare(Workload& w, DropoutOptions::Unit unit) {
  struct Table {
    explicit Table(Workload& w, Backend& backend)
        : initial(w.table(backend, Side::kUser, 1)),
          values(backend.allocate(initial.rows(), initial.cols())),
          step(backend.make_counter(1)) {
      backend.copy(initial, values);
    }
    Matrix initial;
    Matrix values;
    Counter step;
  };
  auto table = std::make_shared<Table>(w, w.backend());
  PreparedCase ready;
  ready.cost = dropout_cost(w.nodes(Side::kUser) * w.width(),
                            unit == DropoutOptions::Unit::kRow ? 0.5 : 1.0);
  ready.table = Side::kUser;
  ready.run = [&w, table, unit] {
    w.backend().dropout(options_of(unit), table->step, table->values);
  };
  ready.reset = [&w, table] { w.backend().copy(table->initial, table->values); };
  const auto expected = once([&w, unit] {
    Table wanted(w, w.reference());
    w.reference().dropout(options_of(unit), wanted.step, wanted.values);
    return wanted;
  });
  ready.verify = [&w, table, expected] {
    expect_equal("dropout", w.backend(), table->values, w.reference(), expected().values);
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
