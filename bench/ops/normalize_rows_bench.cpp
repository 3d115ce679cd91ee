// normalize_rows of the user table and its backward pass: alone, and with a sum and an addend, as layers of
// lightgcn++ have them. The backward pass may work in place, but repeated over its own result, gradients
// would become infinite or denormal.

#include <memory>

#include "bench/support/case.hpp"
#include "bench/support/compare.hpp"
#include "bench/support/once.hpp"

namespace tern::bench {
namespace {

enum class Extra { kNone, kMatrix };

struct NormalizeTables {
  NormalizeTables(const Workload& w, Backend& backend)
      : x(w.table(backend, Side::kUser, 1)),
        gradient(w.table(backend, Side::kUser, 2)),
        initial_extra(w.table(backend, Side::kUser, 3)),
        extra(backend.allocate(x.rows(), x.cols())),
        result(backend.allocate(x.rows(), x.cols())) {
    reset(backend);
  }

  void reset(Backend& backend) {
    backend.copy(initial_extra, extra);
    backend.fill(result, kPoison);
  }

  void forward(Backend& backend, Extra with) {
    backend.normalize_rows(x, result,
                           {.sum = with == Extra::kMatrix ? &extra : nullptr, .weight = 0.5});
  }
  void backward(Backend& backend, Extra with) {
    backend.normalize_rows_backward(
        x, gradient, result, {.matrix = with == Extra::kMatrix ? &extra : nullptr, .weight = 0.5});
  }

  Matrix x;
  Matrix gradient;
  Matrix initial_extra;
  Matrix extra;
  Matrix result;
};

using NormalizePass = void (NormalizeTables::*)(Backend&, Extra);

template <NormalizePass kPass, Extra kWith>
PreparedCase prepare_normalize(Workload& w) {
  auto tables = std::make_shared<NormalizeTables>(w, w.backend());
  const std::int64_t size = tables->x.size();
  const std::int64_t more = kWith == Extra::kMatrix ? size : 0;
  PreparedCase ready;
  ready.cost = kPass == &NormalizeTables::forward ? normalize_rows_cost(size, more)
                                                  : normalize_rows_backward_cost(size, more);
  ready.table = Side::kUser;
  ready.run = [&w, tables] { ((*tables).*kPass)(w.backend(), kWith); };
  ready.reset = [&w, tables] { tables->reset(w.backend()); };
  const auto expected = once([&w] {
    NormalizeTables wanted(w, w.reference());
    (wanted.*kPass)(w.reference(), kWith);
    return wanted;
  });
  ready.verify = [&w, tables, expected] {
    expect_equal("normalize_rows", w.backend(), tables->result, w.reference(), expected().result);
    expect_equal("normalize_rows", w.backend(), tables->extra, w.reference(), expected().extra);
  };
  return ready;
}

}  // namespace

void add_normalize_rows_cases(Cases& cases, DeviceKind /*device*/) {
  const auto add = [&](const char* variant, PreparedCase (*prepare)(Workload&)) {
    cases.push_back({"normalize_rows", variant, "tern", Bound::kCopy, prepare});
  };
  add("users", prepare_normalize<&NormalizeTables::forward, Extra::kNone>);
  add("users_to_sum", prepare_normalize<&NormalizeTables::forward, Extra::kMatrix>);
  add("users_backward", prepare_normalize<&NormalizeTables::backward, Extra::kNone>);
  add("users_backward_addend", prepare_normalize<&NormalizeTables::backward, Extra::kMatrix>);
}

}  // namespace tern::bench
