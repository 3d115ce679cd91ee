// sgd: the item table, dense, without and with momentum. Without, a plain loop is its rival.

#include <memory>

#include "bench/support/case.hpp"
#include "bench/support/compare.hpp"
#include "bench/support/once.hpp"
#include "bench/variants/cpu/sgd_plain_loop.hpp"

namespace tern::bench {
namespace {

struct Tables {
  Tables(const Workload& w, Backend& backend, const SgdOptions& options)
      : gradient(w.table(backend, Side::kItem, 1)),
        parameter(backend.allocate(gradient.rows(), gradient.cols())),
        initial(w.table(backend, Side::kItem, 2)),
        step(backend.make_counter(1)),
        fault(backend.make_counter()) {
    if (options.momentum != 0.0) {
      state.velocity = backend.allocate(parameter.rows(), parameter.cols());
    }
    reset(backend);
  }

  void reset(Backend& backend) {
    backend.copy(initial, parameter);
    if (state.velocity.size() > 0) backend.fill(state.velocity, 0.0);
  }

  Matrix gradient;
  Matrix parameter;
  Matrix initial;  // the parameter's
  SgdState state;
  Counter step;
  Counter fault;  // recorded, as in training
};

PreparedCase prepare(Workload& w, const SgdOptions& options) {
  auto tables = std::make_shared<Tables>(w, w.backend(), options);
  PreparedCase ready;
  ready.cost = sgd_cost(tables->parameter.size(), options.momentum != 0.0);
  ready.table = Side::kItem;
  ready.run = [&w, tables, options] {
    w.backend().sgd(options, tables->step, tables->gradient, tables->parameter, tables->state,
                    nullptr, &tables->fault);
  };
  ready.reset = [&w, tables] { tables->reset(w.backend()); };
  const auto expected = once([&w, options] {
    Tables wanted(w, w.reference(), options);
    w.reference().sgd(options, wanted.step, wanted.gradient, wanted.parameter, wanted.state);
    return wanted;
  });
  ready.verify = [&w, tables, expected] {
    expect_equal("sgd", w.backend(), tables->parameter, w.reference(), expected().parameter);
  };
  return ready;
}

}  // namespace

void add_sgd_cases(Cases& cases, DeviceKind device) {
  cases.push_back(
      {"sgd", "dense", "tern", Bound::kCopy, [](Workload& w) { return prepare(w, SgdOptions{}); }});
  if (device == DeviceKind::kCpu) {
    cases.push_back({"sgd", "dense", "plain_loop", Bound::kCopy, prepare_sgd_plain_loop});
  }
  cases.push_back({"sgd", "dense_momentum", "tern", Bound::kCopy,
                   [](Workload& w) { return prepare(w, SgdOptions{.momentum = 0.9}); }});
}

}  // namespace tern::bench
