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

/// A training step of LightGCN on a graph whose rows are long on both sides, and cut into segments.
class LightGcnStep {
 public:
  LightGcnStep(Backend& backend, int layers, LossKind loss)
      : backend_(backend),
        graph_(backend.make_graph(random_interactions(200, 150, 0.55, 3))),
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
    loss_->backward(*model_, triplets_, losses_);
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

constexpr StepKind kStepKinds[] = {{3, LossKind::kBpr, 21}, {1, LossKind::kSoftmax, 16}};

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
