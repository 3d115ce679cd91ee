// Recorded steps of training: how many nodes the captured graph has, and that it trains like the ops
// called one by one.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "cuda/backend.hpp"
#include "host/train/optimizer.hpp"
#include "tern/loss.hpp"
#include "tests/simt_backend/simt_backend.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/graphs.hpp"
#include "tests/support/matrices.hpp"

namespace tern::test {
namespace {

/// A training step of LightGCN on a graph with short rows and rows that are cut into segments, on both
/// sides.
class LightGcnStep {
 public:
  LightGcnStep(Backend& backend, int layers, LossKind loss)
      : backend_(backend),
        graph_(backend.make_graph(random_interactions(200, 150, 0.37, 3))),
        triplets_(backend.make_triplets(graph_, {.seed = Seed{7}}, 90)),
        model_(make_model(backend, graph_, triplets_, model_options(layers))),
        loss_(make_loss(backend, loss_options(loss), 0.01, graph_.num_users())),
        optimizer_(backend, model_->parameters(), OptimizerOptions()),
        losses_(backend.allocate(Loss::kTerms, triplets_.num_batches())) {
    model_->initialize(Seed{7});
    backend.sample(triplets_, 1);
  }

  void run() {
    optimizer_.catch_up();
    model_->forward();
    Batch batch(backend_, triplets_);
    loss_->backward(*model_, batch, losses_);
    optimizer_.step();
    backend_.next_batch(triplets_);
  }

  /// Every matrix that a step writes: parameters, gradients, moments, losses.
  std::vector<Values> written() {
    std::vector<Values> all{values_of(backend_, losses_)};
    for (const Parameter& parameter : model_->parameters()) {
      all.push_back(values_of(backend_, *parameter.value));
      all.push_back(values_of(backend_, *parameter.gradient));
    }
    for (const NamedBuffer& moment : optimizer_.buffers()) {
      all.push_back(values_of(backend_, *moment.value));
    }
    return all;
  }

 private:
  static ModelOptions model_options(int layers) {
    ModelOptions options;
    options.width = 10;
    options.layers = layers;
    return options;
  }
  static LossOptions loss_options(LossKind kind) {
    LossOptions options;
    options.kind = kind;
    return options;
  }

  Backend& backend_;
  Graph graph_;
  Triplets triplets_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<Loss> loss_;
  Optimizer optimizer_;
  Matrix losses_;
};

struct StepKind {
  int layers;
  LossKind loss;
  std::size_t nodes;  // of the captured graph
};

constexpr StepKind kStepKinds[] = {{3, LossKind::kBpr, 12}, {1, LossKind::kSoftmax, 11}};

TEST(RecordedStep, TrainsLikeTheOpsOneByOne) {
  for (const StepKind& kind : kStepKinds) {
    for (const SimtOptions& options : {kPlainSimt, kLateSimt}) {
      const auto backend = make_simt_backend(options);
      LightGcnStep called(*backend, kind.layers, kind.loss);
      LightGcnStep replayed(*backend, kind.layers, kind.loss);
      const auto recording = backend->record([&] { replayed.run(); });
      for (int step = 0; step < 5; ++step) {
        called.run();
        recording->replay();
        const std::vector<Values> expected = called.written();
        const std::vector<Values> actual = replayed.written();
        ASSERT_EQ(actual.size(), expected.size());
        for (std::size_t i = 0; i < actual.size(); ++i) {
          ASSERT_TRUE(same_bits(actual[i], expected[i]))
              << "layers " << kind.layers << ", step " << step << ", matrix " << i;
        }
      }
    }
  }
}

/// Tables of both sides and their gradients, for steps whose ops must not share a launch.
struct Tables {
  explicit Tables(Backend& b)
      : backend(b),
        graph(b.make_graph(random_interactions(90, 80, 0.85, 4))),
        steps(b.make_counter()),
        values{table(0, 1), table(1, 2)},
        gradients{table(0, 3), table(1, 4)} {
    for (int side = 0; side < 2; ++side) {
      states[side] = {b.allocate(rows(side), kWidth), b.allocate(rows(side), kWidth)};
    }
  }
  static constexpr std::int64_t kWidth = 9;
  static std::int64_t rows(int side) { return side == 0 ? 90 : 80; }
  Matrix table(int side, std::uint64_t seed) const {
    return make_matrix(backend, rows(side), kWidth, random_values(rows(side) * kWidth, seed));
  }
  void propagate(Side to, const Matrix& x, Matrix& y, const PropagateOptions& options = {}) {
    backend.propagate(graph, to, x, y, options);
  }
  void adam(int side) {
    backend.adam({.learning_rate = 0.1}, steps, gradients[side], values[side], states[side]);
  }

  Backend& backend;
  Graph graph;
  Counter steps;
  Matrix values[2];     // by Side
  Matrix gradients[2];  // likewise
  AdamState states[2];
};

struct DependentOps {
  const char* what;
  void (*run)(Tables& t);
};

constexpr DependentOps kDependentOps[] = {
    {"a propagation reads what the one before writes",
     [](Tables& t) {
       t.propagate(Side::kUser, t.values[1], t.gradients[0]);
       t.propagate(Side::kItem, t.gradients[0], t.gradients[1]);
     }},
    {"a propagation adds what the one before writes",
     [](Tables& t) {
       t.propagate(Side::kUser, t.values[1], t.gradients[0], {.scale = 2.0});
       t.propagate(Side::kItem, t.values[0], t.gradients[1]);
       t.propagate(Side::kUser, t.gradients[1], t.values[0], {.addend = &t.gradients[0]});
     }},
    {"a propagation writes what the one before reads",
     [](Tables& t) {
       t.propagate(Side::kUser, t.values[1], t.gradients[0]);
       t.propagate(Side::kItem, t.values[0], t.values[1]);
     }},
    {"two propagations in one direction",
     [](Tables& t) {
       t.propagate(Side::kUser, t.values[1], t.gradients[0]);
       t.propagate(Side::kUser, t.gradients[1], t.values[0]);
     }},
    {"Adam writes what a propagation reads",
     [](Tables& t) {
       t.propagate(Side::kUser, t.values[1], t.gradients[0]);
       t.propagate(Side::kItem, t.values[0], t.gradients[1]);
       t.backend.increment(t.steps);
       t.adam(0);
       t.adam(1);
     }},
    {"Adam of one side alone, and a step counted after it",
     [](Tables& t) {
       t.backend.increment(t.steps);
       t.propagate(Side::kUser, t.gradients[1], t.gradients[0]);
       t.adam(0);
       t.backend.increment(t.steps);
       t.propagate(Side::kItem, t.values[0], t.values[1]);
     }},
    {"a copy after a propagation",
     [](Tables& t) {
       t.propagate(Side::kUser, t.values[1], t.gradients[0]);
       t.backend.copy(t.gradients[0], t.values[0]);
     }},
};

TEST(RecordedStep, KeepsOpsApartThatDependOnEachOther) {
  for (const DependentOps& ops : kDependentOps) {
    for (const SimtOptions& options : {kPlainSimt, kLateSimt}) {
      const auto backend = make_simt_backend(options);
      Tables called(*backend);
      Tables replayed(*backend);
      const auto recording = backend->record([&] { ops.run(replayed); });
      for (int step = 0; step < 3; ++step) {
        ops.run(called);
        recording->replay();
        for (int side = 0; side < 2; ++side) {
          ASSERT_TRUE(same_bits(values_of(*backend, replayed.values[side]),
                                values_of(*backend, called.values[side])))
              << ops.what << ", step " << step;
          ASSERT_TRUE(same_bits(values_of(*backend, replayed.gradients[side]),
                                values_of(*backend, called.gradients[side])))
              << ops.what << ", step " << step;
        }
      }
    }
  }
}

TEST(RecordedStep, IsAGraphOfFewNodes) {
  for (const StepKind& kind : kStepKinds) {
    const auto backend = make_simt_backend(kPlainSimt);
    LightGcnStep step(*backend, kind.layers, kind.loss);
    const auto recording = backend->record([&] { step.run(); });
    recording->replay();
    recording->replay();
    EXPECT_EQ(dynamic_cast<const cuda::CudaRecording&>(*recording).num_nodes(), kind.nodes)
        << "layers " << kind.layers;
  }
}

}  // namespace
}  // namespace tern::test
