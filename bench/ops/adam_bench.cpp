// adam: the item table, dense and for a batch's rows.

#include <memory>

#include "bench/ops/expected.hpp"
#include "bench/support/batch.hpp"
#include "bench/support/case.hpp"
#include "bench/support/compare.hpp"

namespace tern::bench {
namespace {

enum class Rows : std::uint8_t { kAll, kBatch };

struct Tables {
  Tables(const Workload& w, Backend& backend, const Graph& graph, Rows rows)
      : gradient(w.table(backend, Side::kItem, 1)),
        parameter(w.table(backend, Side::kItem, 2)),
        state{backend.allocate(parameter.rows(), parameter.cols()),
              backend.allocate(parameter.rows(), parameter.cols())},
        step(backend.make_counter(1)),
        fault(backend.make_counter()),
        batch(rows == Rows::kAll ? Triplets() : first_batch(w, backend, graph)) {}

  void run(Backend& backend, Rows rows) {
    backend.adam({}, step, gradient, parameter, state,
                 rows == Rows::kAll ? nullptr : &batch.rows(Side::kItem), &fault);
  }

  Matrix gradient;
  Matrix parameter;
  AdamState state;
  Counter step;
  Counter fault;  // recorded, as in training
  Triplets batch;
};

PreparedCase prepare(Workload& w, Rows rows) {
  auto tables = std::make_shared<Tables>(w, w.backend(), w.graph(), rows);
  const auto touched = rows == Rows::kAll
                           ? w.nodes(Side::kItem)
                           : static_cast<std::int64_t>(BatchRows(w)[Side::kItem].size());
  PreparedCase ready;
  ready.cost = adam_cost(touched * w.width());
  ready.run = [&w, tables, rows] { tables->run(w.backend(), rows); };
  ready.verify = [&w, tables, rows] {
    Tables expected(w, w.reference(), w.reference_graph(), rows);
    expected.run(w.reference(), rows);
    tables->run(w.backend(), rows);
    expect_equal("adam, parameter", w.backend(), tables->parameter, w.reference(),
                 expected.parameter);
    expect_equal("adam, second moment", w.backend(), tables->state.second_moment, w.reference(),
                 expected.state.second_moment);
  };
  return ready;
}

/// PyTorch's formula as a loop over the table, for the compiler to vectorise.
PreparedCase prepare_plain_loop(Workload& w) {
  struct State {
    std::vector<float> g, p, m, v;
  };
  auto s = std::make_shared<State>();
  s->g = w.table_values(Side::kItem, 1);
  s->p = w.table_values(Side::kItem, 2);
  s->m.resize(s->g.size());
  s->v.resize(s->g.size());
  PreparedCase ready;
  ready.cost = adam_cost(static_cast<std::int64_t>(s->g.size()));
  ready.run = [s, threads = w.threads()] {
    const auto size = static_cast<std::int64_t>(s->g.size());
    const float* g = s->g.data();
    float* p = s->p.data();
    float* m = s->m.data();
    float* v = s->v.data();
#pragma omp parallel for num_threads(threads) schedule(static)
    for (std::int64_t i = 0; i < size; ++i) {
      m[i] = 0.9F * m[i] + 0.1F * g[i];
      v[i] = 0.999F * v[i] + 0.001F * g[i] * g[i];
      p[i] -= 1e-3F * (m[i] / 0.1F) / (__builtin_sqrtf(v[i] / 0.001F) + 1e-8F);
    }
  };
  ready.verify = [&w, s, run = ready.run] {
    run();
    expect_equal("adam, parameter", s->p, expected_adam(w), w.width());
  };
  return ready;
}

}  // namespace

void add_adam_cases(Cases& cases, DeviceKind device) {
  cases.push_back(
      {"adam", "dense", "tern", Bound::kCopy, [](Workload& w) { return prepare(w, Rows::kAll); }});
  if (device == DeviceKind::kCpu) {
    cases.push_back({"adam", "dense", "plain_loop", Bound::kCopy, prepare_plain_loop});
  }
  cases.push_back({"adam", "batch_rows", "tern", Bound::kGather,
                   [](Workload& w) { return prepare(w, Rows::kBatch); }});
}

}  // namespace tern::bench
