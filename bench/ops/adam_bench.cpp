// adam: the item table, dense and for a batch's rows; and steps that every row has missed.

#include <memory>
#include <span>
#include <vector>

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
        batch(rows == Rows::kAll ? Triplets() : first_batch(w, backend, graph)) {
    if (rows != Rows::kAll) state.row_steps = backend.make_row_steps(parameter.rows());
  }

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

/// Steps that a row has missed when it is next read: about as many as on Gowalla with 2048 pairs a
/// batch.
constexpr std::int64_t kMissedSteps = 20;

/// A table that moves by its moments alone. They hardly decay, so that every repetition computes with
/// ordinary numbers.
struct LateTable {
  LateTable(const Workload& w, Backend& backend)
      : parameter(w.table(backend, Side::kItem, 2)),
        state{w.table(backend, Side::kItem, 1), w.table(backend, Side::kItem, 3),
              backend.make_row_steps(parameter.rows())},
        step(backend.make_counter()) {
    // Squares of gradients are not negative.
    std::vector<float> squares(static_cast<std::size_t>(parameter.size()));
    backend.download(state.second_moment, std::span<float>(squares));
    for (float& value : squares) value *= value;
    backend.upload(std::span<const float>(squares), state.second_moment);
  }

  void run(Backend& backend) {
    steps += kMissedSteps;
    backend.set(step, steps);
    backend.adam_catch_up({.beta1 = 1 - 1e-6, .beta2 = 1 - 1e-6}, step, parameter, state);
  }

  Matrix parameter;
  AdamState state;
  Counter step;
  std::int64_t steps = 0;
};

PreparedCase prepare_catch_up(Workload& w) {
  auto table = std::make_shared<LateTable>(w, w.backend());
  PreparedCase ready;
  ready.cost = adam_catch_up_cost(w.nodes(Side::kItem) * w.width(), kMissedSteps);
  ready.run = [&w, table] { table->run(w.backend()); };
  ready.verify = [&w, table] {
    LateTable expected(w, w.reference());
    expected.run(w.reference());
    table->run(w.backend());
    expect_equal("adam_catch_up, parameter", w.backend(), table->parameter, w.reference(),
                 expected.parameter);
    expect_equal("adam_catch_up, first moment", w.backend(), table->state.first_moment,
                 w.reference(), expected.state.first_moment);
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
  cases.push_back({"adam", "missed_steps", "tern", Bound::kNone, prepare_catch_up});
}

}  // namespace tern::bench
