// propagate in both directions: without an addend, with one (as layers use it), to a batch's rows,
// and from a batch's rows; the first three with rows of x in f32 or bf16, the fourth, which reads gradients
// of a loss, in f32. The f32 case without an addend has two rivals: a plain loop, and Eigen's
// sparse product.

#include <algorithm>
#include <memory>
#include <string>

#include "bench/ops/expected.hpp"
#include "bench/support/batch.hpp"
#include "bench/support/case.hpp"
#include "bench/support/compare.hpp"
#include "bench/support/once.hpp"
#include "bench/variants/cpu/propagate_rivals.hpp"

namespace tern::bench {
namespace {

/// How a case calls the op.
struct Use {
  Side to = Side::kUser;
  Addend addend = Addend::kNone;
  Subset subset = Subset::kAll;
  GatherPrecision gather = GatherPrecision::kOwn;
};

/// Tables and row sets of one backend. In bf16 y has a copy too, as a layer that is propagated has.
struct Tables {
  Tables(const Workload& w, Backend& backend, const Graph& graph, const Use& use)
      : x(backend.allocate(w.nodes(opposite(use.to)), w.width(), {.gather = use.gather})),
        addend(w.table(backend, use.to, 2)),
        y(backend.allocate(w.nodes(use.to), w.width(), {.gather = use.gather})),
        batch(use.subset == Subset::kAll ? Triplets() : first_batch(w, backend, graph)) {
    backend.upload(w.table_values(opposite(use.to), 1), x);
    // The op must leave this NaN in the rows that it does not write.
    backend.fill(y, kPoison);
  }

  PropagateOptions options(const Use& use) const {
    PropagateOptions options;
    if (use.addend == Addend::kFull) options.addend = &addend;
    if (use.subset == Subset::kToBatch) options.to = &batch.rows(use.to);
    if (use.subset == Subset::kFromBatch) options.from = &batch.rows(opposite(use.to));
    return options;
  }

  Matrix x;
  Matrix addend;
  Matrix y;
  Triplets batch;
};

PreparedCase prepare_tern(Workload& w, const Use& use) {
  auto tables = std::make_shared<Tables>(w, w.backend(), w.graph(), use);
  PreparedCase ready;
  ready.cost = cost_of_propagation(w, use.to, use.addend, use.subset, use.gather);
  // Rows of a batch lie in nearer caches than a whole table.
  if (use.subset != Subset::kFromBatch) ready.table = opposite(use.to);
  ready.run = [&w, tables, use] {
    w.backend().propagate(w.graph(), use.to, tables->x, tables->y, tables->options(use));
  };
  ready.reset = [&w, tables] { w.backend().fill(tables->y, kPoison); };
  const auto expected = once([&w, use] {
    Tables wanted(w, w.reference(), w.reference_graph(), use);
    w.reference().propagate(w.reference_graph(), use.to, wanted.x, wanted.y, wanted.options(use));
    return wanted;
  });
  ready.verify = [&w, tables, expected] {
    expect_equal("propagate", w.backend(), tables->y, w.reference(), expected().y);
  };
  return ready;
}

using MakeRival = std::unique_ptr<PropagateRival> (*)(const Interactions&, const Interactions&,
                                                      std::int64_t, int);

PreparedCase prepare_rival(Workload& w, Side to, MakeRival make) {
  struct State {
    std::unique_ptr<PropagateRival> rival;
    std::vector<float> x;
    std::vector<float> y;
  };
  auto state = std::make_shared<State>();
  const Interactions& rows = to == Side::kUser ? w.interactions() : w.transposed();
  const Interactions& columns = to == Side::kUser ? w.transposed() : w.interactions();
  state->rival = make(rows, columns, w.width(), w.threads());
  state->x = w.table_values(opposite(to), 1);
  state->y.resize(static_cast<std::size_t>(w.nodes(to) * w.width()));
  PreparedCase ready;
  ready.cost = cost_of_propagation(w, to, Addend::kNone, Subset::kAll);
  ready.table = opposite(to);
  ready.run = [state] { state->rival->run(state->x, state->y); };
  ready.reset = [state] { std::ranges::fill(state->y, static_cast<float>(kPoison)); };
  const auto expected = once([&w, to] { return expected_propagation(w, to, Subset::kAll); });
  ready.verify = [&w, state, expected] {
    expect_equal("propagate", state->y, expected(), w.width());
  };
  return ready;
}

}  // namespace

void add_propagate_cases(Cases& cases, DeviceKind device, const AxisLists& lists) {
  const bool rivals = device == DeviceKind::kCpu && std::ranges::count(lists.precisions, "f32") > 0;
  for (const Side to : {Side::kUser, Side::kItem}) {
    const std::string side = side_name(to);
    const auto add = [&](const std::string& variant, Addend addend, Subset subset) {
      for (const std::string& name : lists.precisions) {
        if (name != "f32" && subset == Subset::kFromBatch) continue;
        const Use use{to, addend, subset,
                      name == "bf16" ? GatherPrecision::kBf16 : GatherPrecision::kOwn};
        Axes axes{.precision = name};
        if (subset != Subset::kAll) axes.batch = Axes::Batch::kRead;
        cases.push_back({"propagate", variant, "tern", Bound::kGather,
                         [use](Workload& w) { return prepare_tern(w, use); }, axes});
      }
    };
    add("to_" + side, Addend::kNone, Subset::kAll);
    if (rivals) {
      cases.push_back({"propagate", "to_" + side, "plain_loop", Bound::kGather,
                       [to](Workload& w) { return prepare_rival(w, to, make_plain_loop); }});
      cases.push_back({"propagate", "to_" + side, "eigen", Bound::kGather,
                       [to](Workload& w) { return prepare_rival(w, to, make_eigen); }});
    }
    add("to_" + side + "_addend", Addend::kFull, Subset::kAll);
    add("to_batch_" + side, Addend::kFull, Subset::kToBatch);
    add("from_batch_to_" + side, Addend::kNone, Subset::kFromBatch);
  }
}

}  // namespace tern::bench
