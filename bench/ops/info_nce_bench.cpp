// info_nce: the contrast of two views of one batch's users and of its items, at the temperature that
// is published for XSimGCL.

#include <algorithm>
#include <memory>
#include <set>
#include <string>

#include "bench/support/batch.hpp"
#include "bench/support/case.hpp"
#include "bench/support/compare.hpp"
#include "bench/support/once.hpp"

namespace tern::bench {
namespace {

/// Two views of a side's nodes on one backend. Gradients are added up: they start at zero.
struct Views {
  Views(const Workload& workload, Backend& on, const Graph& graph, Side of)
      : backend(on),
        side(of),
        views(workload.table(on, of, 1)),
        others(workload.table(on, of, 2)),
        grad_views(on.allocate(views.rows(), views.cols())),
        grad_others(on.allocate(views.rows(), views.cols())),
        triplets(first_batch(workload, on, graph)),
        losses(on.allocate(4, triplets.num_batches())) {}

  void run() {
    backend.info_nce(triplets, {.temperature = 0.2}, side, views, others, grad_views, grad_others,
                     losses);
  }

  void reset() {
    backend.fill(grad_views, 0.0);
    backend.fill(grad_others, 0.0);
    backend.fill(losses, kPoison);
  }

  Backend& backend;
  Side side;
  Matrix views, others, grad_views, grad_others;
  Triplets triplets;
  Matrix losses;
};

/// The distinct nodes of the first batch's pairs.
std::int64_t distinct_nodes(const Workload& w, Side side) {
  const std::vector<Triplet>& epoch = w.epoch();
  const auto count = static_cast<std::size_t>(batch_triplets(w));
  std::set<NodeId> nodes;
  for (std::size_t t = 0; t < count; ++t) {
    nodes.insert(side == Side::kUser ? epoch[t].user : epoch[t].positive);
  }
  return static_cast<std::int64_t>(nodes.size());
}

PreparedCase prepare(Workload& w, Side side) {
  auto views = std::make_shared<Views>(w, w.backend(), w.graph(), side);
  PreparedCase ready;
  ready.cost = info_nce_cost(distinct_nodes(w, side), w.width());
  ready.run = [views] { views->run(); };
  ready.reset = [views] { views->reset(); };
  const auto expected = once([&w, side] {
    Views wanted(w, w.reference(), w.reference_graph(), side);
    wanted.reset();
    wanted.run();
    return wanted;
  });
  ready.verify = [&w, views, expected] {
    const Views& of_reference = expected();
    const auto compare = [&](const char* part, const Matrix& found, const Matrix& wanted) {
      expect_equal(std::string("info_nce, ") + part, w.backend(), found, w.reference(), wanted);
    };
    compare("gradient of views", views->grad_views, of_reference.grad_views);
    compare("gradient of others", views->grad_others, of_reference.grad_others);
    compare("losses", views->losses, of_reference.losses);
  };
  return ready;
}

}  // namespace

void add_info_nce_cases(Cases& cases, DeviceKind /*device*/) {
  cases.push_back({"info_nce", "users", "tern", Bound::kProduct,
                   [](Workload& w) { return prepare(w, Side::kUser); }, kReadsBatch});
  cases.push_back({"info_nce", "items", "tern", Bound::kProduct,
                   [](Workload& w) { return prepare(w, Side::kItem); }, kReadsBatch});
}

}  // namespace tern::bench
