// perturb of the user table, in place: one case alone, and one that adds the result to a sum, as
// layers of xsimgcl are.

#include <memory>

#include "bench/support/case.hpp"
#include "bench/support/compare.hpp"
#include "bench/support/once.hpp"

namespace tern::bench {
namespace {

constexpr PerturbOptions kPerturbOptions{.magnitude = 0.2, .seed = Seed{1}};

struct PerturbTables {
  PerturbTables(const Workload& w, Backend& backend)
      : initial_values(w.table(backend, Side::kUser, 1)),
        initial_sum(w.table(backend, Side::kUser, 2)),
        values(backend.allocate(initial_sum.rows(), initial_sum.cols())),
        sum(backend.allocate(initial_sum.rows(), initial_sum.cols())),
        step(backend.make_counter(1)) {
    reset(backend);
  }

  void reset(Backend& backend) {
    backend.copy(initial_values, values);
    backend.copy(initial_sum, sum);
  }
  void perturb(Backend& backend, bool adds) {
    backend.perturb(kPerturbOptions, step, values, nullptr,
                    {.sum = adds ? &sum : nullptr, .weight = 0.5});
  }

  Matrix initial_values;
  Matrix initial_sum;
  Matrix values;
  Matrix sum;
  Counter step;
};

template <bool kAdds>
PreparedCase prepare_perturb(Workload& w) {
  auto tables = std::make_shared<PerturbTables>(w, w.backend());
  PreparedCase ready;
  ready.cost = perturb_cost(tables->values.size(), kAdds ? tables->values.size() : 0);
  ready.table = Side::kUser;
  ready.run = [&w, tables] { tables->perturb(w.backend(), kAdds); };
  ready.reset = [&w, tables] { tables->reset(w.backend()); };
  const auto expected = once([&w] {
    PerturbTables wanted(w, w.reference());
    wanted.perturb(w.reference(), kAdds);
    return wanted;
  });
  ready.verify = [&w, tables, expected] {
    expect_equal("perturb", w.backend(), tables->values, w.reference(), expected().values);
    expect_equal("perturb", w.backend(), tables->sum, w.reference(), expected().sum);
  };
  return ready;
}

}  // namespace

void add_perturb_cases(Cases& cases, DeviceKind /*device*/) {
  cases.push_back({"perturb", "users", "tern", Bound::kCopy, prepare_perturb<false>});
  cases.push_back({"perturb", "users_to_sum", "tern", Bound::kCopy, prepare_perturb<true>});
}

}  // namespace tern::bench
