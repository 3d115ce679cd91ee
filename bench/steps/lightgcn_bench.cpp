// The gradient of lightgcn on one batch: layers of propagation to the batch's rows, bpr with the L2
// penalty, and the way back. Recorded, as in training.

#include <memory>

#include "bench/ops/expected.hpp"
#include "bench/support/batch.hpp"
#include "bench/support/case.hpp"
#include "bench/support/compare.hpp"
#include "bench/support/once.hpp"
#include "tern/loss.hpp"
#include "tern/model.hpp"

namespace tern::bench {
namespace {

ModelOptions options_of(const Workload& w, int layers) {
  ModelOptions options;
  options.width = static_cast<int>(w.width());
  options.layers = layers;
  return options;
}

/// The model, its loss and a batch on one backend.
struct Step {
  Step(const Workload& w, Backend& on, const Graph& graph, int layers)
      : backend(on),
        triplets(first_batch(w, on, graph)),
        model(make_model(on, graph, triplets, options_of(w, layers))),
        loss(make_loss(on, LossOptions{}, 1e-4, static_cast<NodeId>(w.nodes(Side::kUser)))),
        losses(on.allocate(loss_terms(*model), triplets.num_batches(), {.replicated = true})),
        recording(on.record([this] {
          model->forward();
          Batch batch(backend, triplets);
          loss->backward(*model, batch, losses);
        })) {
    model->initialize(Seed{1});
  }

  void reset() {
    for (const Parameter& parameter : model->parameters()) {
      backend.fill(*parameter.gradient, kPoison);
    }
    backend.fill(losses, kPoison);
  }

  Backend& backend;
  Triplets triplets;
  std::unique_ptr<Model> model;
  std::unique_ptr<Loss> loss;
  Matrix losses;
  std::unique_ptr<Recording> recording;
};

void operator+=(Cost& sum, const Cost& cost) {
  sum.bytes += cost.bytes;
  sum.flops += cost.flops;
  sum.written += cost.written;
  sum.gathered += cost.gathered;
}

/// Its propagations and bpr: to the batch's rows, from them, and twice as many whole ones as there are
/// other layers.
Cost cost_of(const Workload& w, int layers) {
  Cost cost;
  for (const Side to : {Side::kUser, Side::kItem}) {
    cost += cost_of_propagation(w, to, Addend::kFull, Subset::kToBatch);
    cost += cost_of_propagation(w, to, Addend::kNone, Subset::kFromBatch);
    for (int layer = 1; layer < layers; ++layer) {
      cost += cost_of_propagation(w, to, Addend::kFull, Subset::kAll);
      cost += cost_of_propagation(w, to, Addend::kNone, Subset::kAll);
    }
  }
  const BatchRows rows(w);
  cost += bpr_cost(batch_triplets(w), std::ssize(rows[Side::kUser]), std::ssize(rows[Side::kItem]),
                   w.width());
  return cost;
}

PreparedCase prepare(Workload& w, int layers) {
  auto step = std::make_shared<Step>(w, w.backend(), w.graph(), layers);
  PreparedCase ready;
  ready.cost = cost_of(w, layers);
  ready.run = [step] { step->recording->replay(); };
  ready.reset = [step] { step->reset(); };
  const auto expected = once([&w, layers] {
    auto wanted = std::make_shared<Step>(w, w.reference(), w.reference_graph(), layers);
    wanted->reset();
    wanted->recording->replay();
    return wanted;
  });
  ready.verify = [&w, step, expected] {
    const Step& wanted = *expected();
    const std::vector<Parameter>& parameters = wanted.model->parameters();
    for (std::size_t p = 0; p < parameters.size(); ++p) {
      expect_equal("lightgcn, gradient of " + parameters[p].name, w.backend(),
                   *step->model->parameters()[p].gradient, w.reference(), *parameters[p].gradient);
    }
    expect_equal("lightgcn, losses", w.backend(), step->losses, w.reference(), wanted.losses);
  };
  return ready;
}

}  // namespace

void add_lightgcn_cases(Cases& cases, DeviceKind /*device*/, const AxisLists& lists) {
  for (const int layers : lists.layers) {
    // Without a limit: how many rows the layers beyond the batch's neighbours touch depends on the graph.
    cases.push_back({"step", "lightgcn", "tern", Bound::kNone,
                     [layers](Workload& w) { return prepare(w, layers); },
                     Axes{.batch = Axes::Batch::kRead, .layers = layers}});
  }
}

}  // namespace tern::bench
