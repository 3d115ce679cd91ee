// Recorded steps of training: how many nodes the captured graph has, and that it trains like the ops
// called one by one.
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <ostream>
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

/// The bf16 copy of a matrix, zeros and padding included; empty if it has none. The memory of an emulated
/// device is the host's.
Values copy_of(Backend& backend, const Matrix& matrix) {
  backend.synchronize();
  const cuda::GatherCopyView copy = cuda::copy_view(matrix);
  if (copy.values == nullptr) return {};
  return {copy.values, copy.values + (matrix.rows() + 1) * copy.vectors * cuda::kCopyUnit};
}

struct StepKind {
  int layers;
  LossKind loss;
  std::size_t nodes;  // of the captured graph
  GatherPrecision gather = GatherPrecision::kOwn;
  OptimizerKind optimizer = OptimizerKind::kAdam;

  friend std::ostream& operator<<(std::ostream& out, const StepKind& kind) {
    return out << "layers " << kind.layers
               << (kind.gather == GatherPrecision::kBf16 ? ", bf16" : ", f32")
               << (kind.optimizer == OptimizerKind::kSgd ? ", sgd" : ", adam");
  }
};

/// A training step of LightGCN on a graph with short rows and rows that are cut into segments, on both
/// sides.
class LightGcnStep {
 public:
  LightGcnStep(Backend& backend, const StepKind& kind)
      : backend_(backend),
        graph_(backend.make_graph(random_interactions(200, 150, 0.37, 3))),
        triplets_(backend.make_triplets(graph_, {.seed = Seed{7}}, 90)),
        model_(make_model(backend, graph_, triplets_, model_options(kind))),
        loss_(make_loss(backend, loss_options(kind.loss), 0.01, graph_.num_users())),
        optimizer_(backend, model_->parameters(), optimizer_options(kind.optimizer)),
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

  /// Every matrix that a step writes: parameters, gradients, their copies, moments, losses.
  std::vector<Values> written() {
    std::vector<Values> all{values_of(backend_, losses_)};
    for (const Parameter& parameter : model_->parameters()) {
      all.push_back(values_of(backend_, *parameter.value));
      all.push_back(values_of(backend_, *parameter.gradient));
      all.push_back(copy_of(backend_, *parameter.value));
      all.push_back(copy_of(backend_, *parameter.gradient));
    }
    for (const NamedBuffer& moment : optimizer_.buffers()) {
      all.push_back(values_of(backend_, *moment.value));
    }
    return all;
  }

 private:
  static ModelOptions model_options(const StepKind& kind) {
    ModelOptions options;
    options.width = 10;
    options.layers = kind.layers;
    options.gather = kind.gather;
    return options;
  }
  static OptimizerOptions optimizer_options(OptimizerKind kind) {
    OptimizerOptions options;
    options.kind = kind;
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

/// In bf16 with three layers the gradients have copies, too: the penalty must not cost a launch more. Sgd
/// shares no launch.
constexpr StepKind kStepKinds[] = {
    {3, LossKind::kBpr, 10},
    {1, LossKind::kSoftmax, 9},
    {3, LossKind::kBpr, 10, GatherPrecision::kBf16},
    {2, LossKind::kBpr, 8, GatherPrecision::kBf16},
    {1, LossKind::kSoftmax, 9, GatherPrecision::kBf16},
    {3, LossKind::kBpr, 16, GatherPrecision::kBf16, OptimizerKind::kSgd}};

TEST(RecordedStep, TrainsLikeTheOpsOneByOne) {
  for (const StepKind& kind : kStepKinds) {
    for (const SimtOptions& options : {kPlainSimt, kLateSimt}) {
      const auto backend = make_simt_backend(options);
      LightGcnStep called(*backend, kind);
      LightGcnStep replayed(*backend, kind);
      const auto recording = backend->record([&] { replayed.run(); });
      for (int step = 0; step < 5; ++step) {
        called.run();
        recording->replay();
        const std::vector<Values> expected = called.written();
        const std::vector<Values> actual = replayed.written();
        ASSERT_EQ(actual.size(), expected.size());
        for (std::size_t i = 0; i < actual.size(); ++i) {
          ASSERT_TRUE(same_bits(actual[i], expected[i]))
              << kind << ", step " << step << ", matrix " << i;
        }
      }
    }
  }
}

/// Which matrices have bf16 copies.
enum class Copies : std::uint8_t { kNone, kAll, kUsers };

/// Tables of both sides and their gradients, for steps whose ops must not share a launch.
struct Tables {
  Tables(Backend& b, Copies with)
      : backend(b),
        copies(with),
        graph(b.make_graph(random_interactions(90, 80, 0.85, 4))),
        triplets(b.make_triplets(graph, {.seed = Seed{7}}, 60)),
        losses(b.allocate(Loss::kTerms, triplets.num_batches())),
        steps(b.make_counter(2)),
        values{table(0, 1), table(1, 2)},
        gradients{table(0, 3), table(1, 4)},
        sources{table(0, 5), table(1, 6)} {
    b.sample(triplets, 1);
    for (int side = 0; side < 2; ++side) {
      states[side] = {b.allocate(rows(side), kWidth), b.allocate(rows(side), kWidth)};
    }
  }
  static constexpr std::int64_t kWidth = 9;
  static std::int64_t rows(int side) { return side == 0 ? 90 : 80; }
  Matrix table(int side, std::uint64_t seed) const {
    const bool copied = copies == Copies::kAll || (copies == Copies::kUsers && side == 0);
    return make_matrix(backend, rows(side), kWidth, random_values(rows(side) * kWidth, seed),
                       {.gather = copied ? GatherPrecision::kBf16 : GatherPrecision::kOwn});
  }
  void propagate(Side to, const Matrix& x, Matrix& y, const PropagateOptions& options = {}) {
    backend.propagate(graph, to, x, y, options);
  }
  /// Both gradients with their penalty, which waits for Adam.
  void differentiate() {
    propagate(Side::kUser, sources[1], gradients[0]);
    propagate(Side::kItem, sources[0], gradients[1]);
    backend.l2_penalty(triplets, 0.5, values[0], values[1], gradients[0], gradients[1], losses);
  }
  void adam(int side) {
    backend.adam({.learning_rate = 0.1}, steps, gradients[side], values[side], states[side]);
  }

  Backend& backend;
  Copies copies;
  Graph graph;
  Triplets triplets;
  Matrix losses;
  Counter steps;
  Matrix values[2];     // by Side
  Matrix gradients[2];  // likewise
  Matrix sources[2];    // likewise
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
    {"a step that is counted twice after the penalty",
     [](Tables& t) {
       t.differentiate();
       t.backend.increment(t.steps);
       t.backend.increment(t.steps);
       t.adam(0);
       t.adam(1);
     }},
    {"a step that is counted between two tables",
     [](Tables& t) {
       t.differentiate();
       t.backend.increment(t.steps);
       t.adam(0);
       t.backend.increment(t.steps);
       t.adam(1);
     }},
    {"a step that is counted after Adam",
     [](Tables& t) {
       t.differentiate();
       t.adam(0);
       t.adam(1);
       t.backend.increment(t.steps);
     }},
    {"a step that is counted, and read by another op before Adam",
     [](Tables& t) {
       t.differentiate();
       t.backend.increment(t.steps);
       t.backend.dropout({.probability = 0.5, .seed = Seed{3}}, t.steps, t.gradients[0]);
       t.adam(0);
       t.adam(1);
     }},
    {"a step that is counted without a penalty",
     [](Tables& t) {
       t.propagate(Side::kUser, t.sources[1], t.gradients[0]);
       t.propagate(Side::kItem, t.sources[0], t.gradients[1]);
       t.backend.increment(t.steps);
       t.adam(0);
       t.adam(1);
     }},
    {"a step that is counted, and no Adam",
     [](Tables& t) {
       t.differentiate();
       t.backend.increment(t.steps);
     }},
    {"propagations of which perhaps one reads a copy",
     [](Tables& t) {
       t.propagate(Side::kUser, t.values[1], t.gradients[0]);
       t.propagate(Side::kItem, t.values[0], t.gradients[1]);
     }},
    {"a copy after a propagation",
     [](Tables& t) {
       t.propagate(Side::kUser, t.values[1], t.gradients[0]);
       t.backend.copy(t.gradients[0], t.values[0]);
     }},
};

/// Checks that replayed ops leave the bits of the ops called one by one, in matrices and copies.
void expect_same_bits(const DependentOps& ops, const SimtOptions& options, Copies copies) {
  const auto backend = make_simt_backend(options);
  Tables called(*backend, copies);
  Tables replayed(*backend, copies);
  const auto recording = backend->record([&] { ops.run(replayed); });
  for (int step = 0; step < 3; ++step) {
    ops.run(called);
    recording->replay();
    ASSERT_EQ(backend->get(replayed.steps), backend->get(called.steps)) << ops.what;
    ASSERT_TRUE(same_bits(values_of(*backend, replayed.losses), values_of(*backend, called.losses)))
        << ops.what << ", step " << step;
    for (int side = 0; side < 2; ++side) {
      for (auto matrices : {&Tables::values, &Tables::gradients}) {
        const Matrix& actual = (replayed.*matrices)[side];
        const Matrix& expected = (called.*matrices)[side];
        ASSERT_TRUE(same_bits(values_of(*backend, actual), values_of(*backend, expected)))
            << ops.what << ", step " << step;
        ASSERT_TRUE(same_bits(copy_of(*backend, actual), copy_of(*backend, expected)))
            << ops.what << ", step " << step << ", copy";
      }
    }
  }
}

TEST(RecordedStep, KeepsOpsApartThatDependOnEachOther) {
  for (const DependentOps& ops : kDependentOps) {
    for (const SimtOptions& options : {kPlainSimt, kLateSimt}) {
      for (const Copies copies : {Copies::kNone, Copies::kAll, Copies::kUsers}) {
        expect_same_bits(ops, options, copies);
      }
    }
  }
}

TEST(RecordedStep, IsAGraphOfFewNodes) {
  for (const StepKind& kind : kStepKinds) {
    const auto backend = make_simt_backend(kPlainSimt);
    LightGcnStep step(*backend, kind);
    const auto recording = backend->record([&] { step.run(); });
    recording->replay();
    recording->replay();
    EXPECT_EQ(dynamic_cast<const cuda::CudaRecording&>(*recording).num_nodes(), kind.nodes) << kind;
  }
}

}  // namespace
}  // namespace tern::test
