#include "bench/variants/cpu/sgd_plain_loop.hpp"

#include <memory>
#include <vector>

#include "bench/ops/expected.hpp"
#include "bench/support/compare.hpp"
#include "bench/support/once.hpp"

namespace tern::bench {

PreparedCase prepare_sgd_plain_loop(Workload& w) {
  struct State {
    std::vector<float> gradient, initial, parameter;
  };
  auto s = std::make_shared<State>();
  s->gradient = w.table_values(Side::kItem, 1);
  s->initial = w.table_values(Side::kItem, 2);
  s->parameter = s->initial;
  PreparedCase ready;
  ready.cost = sgd_cost(static_cast<std::int64_t>(s->parameter.size()), false);
  ready.table = Side::kItem;
  ready.reset = [s] { s->parameter = s->initial; };
  ready.run = [s, threads = w.threads(), rate = static_cast<float>(SgdOptions{}.learning_rate)] {
    const auto size = static_cast<std::int64_t>(s->parameter.size());
    const float* g = s->gradient.data();
    float* p = s->parameter.data();
#pragma omp parallel for num_threads(threads) schedule(static)
    for (std::int64_t i = 0; i < size; ++i) p[i] -= rate * g[i];
  };
  const auto expected = once([&w] { return expected_sgd(w); });
  ready.verify = [&w, s, expected] { expect_equal("sgd", s->parameter, expected(), w.width()); };
  return ready;
}

}  // namespace tern::bench
