// propagate in both directions: without an addend, with one (as layers use it), to a batch's rows,
// and from a batch's rows; each with rows of x in f32 or bf16. The case without an addend has two rivals: a plain loop, and Eigen's
// sparse product.

#include <algorithm>
#include <memory>

#include "bench/ops/expected.hpp"
#include "bench/support/batch.hpp"
#include "bench/support/case.hpp"
#include "bench/support/compare.hpp"
#include "bench/support/once.hpp"
#include "bench/variants/cpu/propagate_rivals.hpp"

namespace tern::bench {
namespace {

/// Tables and row sets of one backend.
struct Tables {
  Tables(const Workload& w, Backend& backend, const Graph& graph, Side to, Subset subset,
         GatherPrecision precision)
      : x(backend.allocate(w.nodes(opposite(to)), w.width(), {.gather = precision})),
        addend(w.table(backend, to, 2)),
        y(backend.allocate(w.nodes(to), w.width())),
        batch(subset == Subset::kAll ? Triplets() : first_batch(w, backend, graph)) {
    backend.upload(w.table_values(opposite(to), 1), x);
    // The op must leave this NaN in the rows that it does not write.
    backend.fill(y, kPoison);
  }

  PropagateOptions options(Side to, Addend use_addend, Subset subset) const {
    PropagateOptions options;
    if (use_addend == Addend::kFull) options.addend = &addend;
    if (subset == Subset::kToBatch) options.to = &batch.rows(to);
    if (subset == Subset::kFromBatch) options.from = &batch.rows(opposite(to));
    return options;
  }

  Matrix x;
  Matrix addend;
  Matrix y;
  Triplets batch;
};

PreparedCase prepare_tern(Workload& w, Side to, Addend addend, Subset subset,
                          GatherPrecision precision) {
  auto tables = std::make_shared<Tables>(w, w.backend(), w.graph(), to, subset, precision);
  PreparedCase ready;
  ready.cost =
      cost_of_propagation(w, to, addend, subset, precision == GatherPrecision::kBf16 ? 2.0 : 4.0);
  // Rows of a batch lie in nearer caches than a whole table.
  if (subset != Subset::kFromBatch) ready.table = opposite(to);
  ready.run = [&w, tables, to, addend, subset] {
    w.backend().propagate(w.graph(), to, tables->x, tables->y, tables->options(to, addend, subset));
  };
  ready.reset = [&w, tables] { w.backend().fill(tables->y, kPoison); };
  const auto expected = once([&w, to, addend, subset, precision] {
    Tables wanted(w, w.reference(), w.reference_graph(), to, subset, precision);
    w.reference().propagate(w.reference_graph(), to, wanted.x, wanted.y,
                            wanted.options(to, addend, subset));
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
        const auto precision = name == "bf16" ? GatherPrecision::kBf16 : GatherPrecision::kOwn;
        Axes axes{.precision = name};
        if (subset != Subset::kAll) axes.batch = Axes::Batch::kRead;
        cases.push_back(
            {"propagate", variant, "tern", Bound::kGather,
             [=](Workload& w) { return prepare_tern(w, to, addend, subset, precision); }, axes});
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
