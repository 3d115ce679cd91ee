// sgd: the item table, dense, without and with momentum.

#include <memory>

#include "bench/support/case.hpp"
#include "bench/support/compare.hpp"

namespace tern::bench {
namespace {

struct Tables {
  Tables(const Workload& w, Backend& backend, const SgdOptions& options)
      : gradient(w.table(backend, Side::kItem, 1)),
        parameter(w.table(backend, Side::kItem, 2)),
        step(backend.make_counter(1)),
        fault(backend.make_counter()) {
    if (options.momentum != 0.0) {
      state.velocity = backend.allocate(parameter.rows(), parameter.cols());
    }
  }

  Matrix gradient;
  Matrix parameter;
  SgdState state;
  Counter step;
  Counter fault;  // recorded, as in training
};

PreparedCase prepare(Workload& w, const SgdOptions& options) {
  auto tables = std::make_shared<Tables>(w, w.backend(), options);
  PreparedCase ready;
  ready.cost = sgd_cost(tables->parameter.size(), options.momentum != 0.0);
  ready.run = [&w, tables, options] {
    w.backend().sgd(options, tables->step, tables->gradient, tables->parameter, tables->state,
                    nullptr, &tables->fault);
  };
  ready.verify = [&w, tables, options, run = ready.run] {
    Tables expected(w, w.reference(), options);
    w.reference().sgd(options, expected.step, expected.gradient, expected.parameter,
                      expected.state);
    run();
    expect_equal("sgd", w.backend(), tables->parameter, w.reference(), expected.parameter);
  };
  return ready;
}

}  // namespace

void add_sgd_cases(Cases& cases, DeviceKind /*device*/) {
  cases.push_back(
      {"sgd", "dense", "tern", Bound::kCopy, [](Workload& w) { return prepare(w, SgdOptions{}); }});
  cases.push_back({"sgd", "dense_momentum", "tern", Bound::kCopy,
                   [](Workload& w) { return prepare(w, SgdOptions{.momentum = 0.9}); }});
}

}  // namespace tern::bench
