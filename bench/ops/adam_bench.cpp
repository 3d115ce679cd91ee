// adam: the item table, dense and for a batch's rows; and steps that every row has missed.

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <vector>

#include "bench/ops/expected.hpp"
#include "bench/support/batch.hpp"
#include "bench/support/case.hpp"
#include "bench/support/compare.hpp"
#include "bench/support/once.hpp"

namespace tern::bench {
namespace {

enum class Rows : std::uint8_t { kAll, kBatch };

struct Tables {
  Tables(const Workload& w, Backend& backend, const Graph& graph, Rows rows)
      : gradient(w.table(backend, Side::kItem, 1)),
        parameter(backend.allocate(gradient.rows(), gradient.cols())),
        initial(w.table(backend, Side::kItem, 2)),
        state{backend.allocate(parameter.rows(), parameter.cols()),
              backend.allocate(parameter.rows(), parameter.cols())},
        step(backend.make_counter(1)),
        fault(backend.make_counter()),
        batch(rows == Rows::kAll ? Triplets() : first_batch(w, backend, graph)) {
    if (rows != Rows::kAll) state.row_steps = backend.make_row_steps(parameter.rows());
    reset(backend, rows);
  }

  void reset(Backend& backend, Rows rows) {
    backend.copy(initial, parameter);
    backend.fill(state.first_moment, 0.0);
    backend.fill(state.second_moment, 0.0);
    if (rows != Rows::kAll) backend.set(state.row_steps, 0);
  }

  void run(Backend& backend, Rows rows) {
    backend.adam({}, step, gradient, parameter, state,
                 rows == Rows::kAll ? nullptr : &batch.rows(Side::kItem), &fault);
  }

  Matrix gradient;
  Matrix parameter;
  Matrix initial;  // the parameter's
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
  if (rows == Rows::kAll) ready.table = Side::kItem;
  ready.run = [&w, tables, rows] { tables->run(w.backend(), rows); };
  ready.reset = [&w, tables, rows] { tables->reset(w.backend(), rows); };
  const auto expected = once([&w, rows] {
    Tables wanted(w, w.reference(), w.reference_graph(), rows);
    wanted.run(w.reference(), rows);
    return wanted;
  });
  ready.verify = [&w, tables, expected] {
    const Tables& wanted = expected();
    expect_equal("adam, parameter", w.backend(), tables->parameter, w.reference(),
                 wanted.parameter);
    expect_equal("adam, second moment", w.backend(), tables->state.second_moment, w.reference(),
                 wanted.state.second_moment);
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
      : initial{w.table(backend, Side::kItem, 2), w.table(backend, Side::kItem, 1),
                w.table(backend, Side::kItem, 3)},
        parameter(backend.allocate(initial[0].rows(), initial[0].cols())),
        state{backend.allocate(parameter.rows(), parameter.cols()),
              backend.allocate(parameter.rows(), parameter.cols()),
              backend.make_row_steps(parameter.rows())},
        step(backend.make_counter()) {
    // Squares of gradients are not negative.
    std::vector<float> squares(static_cast<std::size_t>(parameter.size()));
    backend.download(initial[2], std::span<float>(squares));
    for (float& value : squares) value *= value;
    backend.upload(std::span<const float>(squares), initial[2]);
    reset(backend);
  }

  void reset(Backend& backend) {
    backend.copy(initial[0], parameter);
    backend.copy(initial[1], state.first_moment);
    backend.copy(initial[2], state.second_moment);
    backend.set(state.row_steps, 0);
    steps = 0;
  }

  void run(Backend& backend) {
    steps += kMissedSteps;
    backend.set(step, steps);
    backend.adam_catch_up({.beta1 = 1 - 1e-6, .beta2 = 1 - 1e-6}, step, parameter, state);
  }

  std::array<Matrix, 3> initial;  // the parameter's, the first and the second moment's
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
  ready.reset = [&w, table] { table->reset(w.backend()); };
  const auto expected = once([&w] {
    LateTable wanted(w, w.reference());
    wanted.run(w.reference());
    return wanted;
  });
  ready.verify = [&w, table, expected] {
    const LateTable& wanted = expected();
    expect_equal("adam_catch_up, parameter", w.backend(), table->parameter, w.reference(),
                 wanted.parameter);
    expect_equal("adam_catch_up, first moment", w.backend(), table->state.first_moment,
                 w.reference(), wanted.state.first_moment);
  };
  return ready;
}

/// PyTorch's formula as a loop over the table, for the compiler to vectorise.
PreparedCase prepare_plain_loop(Workload& w) {
  struct State {
    std::vector<float> initial, g, p, m, v;
  };
  auto s = std::make_shared<State>();
  s->g = w.table_values(Side::kItem, 1);
  s->initial = w.table_values(Side::kItem, 2);
  s->p = s->initial;
  s->m.resize(s->g.size());
  s->v.resize(s->g.size());
  PreparedCase ready;
  ready.cost = adam_cost(static_cast<std::int64_t>(s->g.size()));
  ready.table = Side::kItem;
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
  ready.reset = [s] {
    s->p = s->initial;
    std::ranges::fill(s->m, 0.0F);
    std::ranges::fill(s->v, 0.0F);
  };
  const auto expected = once([&w] { return expected_adam(w); });
  ready.verify = [&w, s, expected] {
    expect_equal("adam, parameter", s->p, expected(), w.width());
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
                   [](Workload& w) { return prepare(w, Rows::kBatch); }, kReadsBatch});
  cases.push_back({"adam", "missed_steps", "tern", Bound::kNone, prepare_catch_up});
}

}  // namespace tern::bench
