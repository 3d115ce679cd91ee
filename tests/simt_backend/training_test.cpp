// Whole training steps and epochs of the models on the emulated CUDA backend, against the f64
// reference.
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "host/loss/bpr_loss.hpp"
#include "host/train/optimizer.hpp"
#include "simt/runtime/device.hpp"
#include "tern/device.hpp"
#include "tern/trainer.hpp"
#include "tests/simt_backend/simt_backend.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/matrices.hpp"
#include "tests/support/sampling.hpp"
#include "tests/train/planted.hpp"

namespace tern::test {
namespace {

/// Models whose parameters are a table for each side; tests/model compares a step of gcmc.
constexpr ModelKind kTableModels[] = {ModelKind::kLightGcn, ModelKind::kMatrixFactorization};
constexpr Side kSides[] = {Side::kUser, Side::kItem};
constexpr double kEpsilon = 0x1p-24;

Config step_config(ModelKind kind) {
  Config config = planted_config(kind);
  config.model.width = 17;  // neither a vector's width nor a multiple of it
  config.model.init_std = 0.5;
  config.l2 = 0.01;
  config.optimizer.kind = OptimizerKind::kSgd;
  config.optimizer.sgd.learning_rate = 5.0;
  return config;
}

/// A model at its first step.
struct Job {
  Job(Backend& backend_in, const Dataset& data, const Config& config_in)
      : backend(backend_in),
        config(config_in),
        graph(backend.make_graph(data.train)),
        triplets(backend.make_triplets(graph, {.seed = config.seed}, config.batch_size)),
        model(make_model(backend, graph, triplets, config.model)),
        losses(backend.allocate(BprLoss::kTerms, triplets.num_batches())) {
    model->initialize(config.seed);
    backend.sample(triplets, 1);
  }

  void step() {
    Optimizer optimizer(backend, model->parameters(), config.optimizer);
    model->forward();
    Batch batch(backend, triplets);
    BprLoss(backend, config.l2).backward(*model, batch, losses);
    optimizer.step();
  }
  Values parameter(int i) { return values_of(backend, *model->parameters()[i].value); }
  Values gradient(int i) { return values_of(backend, *model->parameters()[i].gradient); }

  Backend& backend;
  Config config;
  Graph graph;
  Triplets triplets;
  std::unique_ptr<Model> model;
  Matrix losses;
};

/// Σ|terms| of the gradients of the parameters, computed by the reference from absolute values.
/// Each term has a weight σ <= 1, whose error is at most a quarter of the error of its dot product.
struct Magnitudes {
  Values gradients[2];

  Magnitudes(const Dataset& data, const Config& config)
      : backend_(make_reference_backend()), job_(*backend_, data, config) {
    Values tables[2];
    for (int side = 0; side < 2; ++side) {
      tables[side] = absolute(job_.parameter(side));
      backend_->upload(std::span<const double>(tables[side]),
                       *job_.model->parameters()[side].value);
    }
    job_.model->forward();
    const auto batch = batch_of(*backend_, job_.triplets, 0);
    fill_final_gradients(batch, config.model.width);
    job_.model->backward();
    for (const Side side : kSides) {
      const int s = static_cast<int>(side);
      gradients[s] = job_.gradient(s);
      for (const NodeId row : rows_of(batch, side)) {
        for (std::int64_t i = row * config.model.width; i < (row + 1) * config.model.width; ++i) {
          gradients[s][i] += config.l2 / static_cast<double>(batch.size()) * tables[s][i];
        }
      }
    }
  }

 private:
  void fill_final_gradients(const std::vector<Triplet>& batch, std::int64_t width) {
    const Values users = values_of(*backend_, job_.model->embeddings(Side::kUser));
    const Values items = values_of(*backend_, job_.model->embeddings(Side::kItem));
    Values grad_users(users.size(), 0);
    Values grad_items(items.size(), 0);
    for (const auto& [user, positive, negative] : batch) {
      const double* u = &users[user * width];
      const double* p = &items[positive * width];
      const double* n = &items[negative * width];
      double dot = 0;
      for (std::int64_t d = 0; d < width; ++d) dot += u[d] * (p[d] + n[d]);
      const double weight = (1 + dot / 4) / static_cast<double>(batch.size());
      for (std::int64_t d = 0; d < width; ++d) {
        grad_users[user * width + d] += weight * (p[d] + n[d]);
        grad_items[positive * width + d] += weight * u[d];
        grad_items[negative * width + d] += weight * u[d];
      }
    }
    backend_->upload(std::span<const double>(grad_users),
                     job_.model->embedding_gradient(Side::kUser));
    backend_->upload(std::span<const double>(grad_items),
                     job_.model->embedding_gradient(Side::kItem));
  }

  std::unique_ptr<Backend> backend_;
  Job job_;
};

/// The factors of consecutive sums: layers, a batch's occurrences, a dot product.
double factor_of(const Config& config) {
  const double longest = summation_factor(2.0 * static_cast<double>(config.batch_size));
  return (2.0 * config.model.layers + 2.0) * longest;
}

/// The batch's rows of an embedding; other rows may hold anything.
std::vector<bool> batch_marks(const Job& job, int side) {
  const Side of = kSides[side];
  return marks(job.triplets.rows(of).num_nodes(),
               rows_of(batch_of(job.backend, job.triplets, 0), of));
}

TEST(SimtTrainingStep, IsWithinTheSummationBoundOfTheReference) {
  const Dataset data = planted_dataset();
  for (const ModelKind kind : kTableModels) {
    const Config config = step_config(kind);
    const auto reference = make_reference_backend();
    Job expected(*reference, data, config);
    const Values before[2] = {expected.parameter(0), expected.parameter(1)};
    expected.step();
    const Magnitudes magnitudes(data, config);
    for (const SimtOptions& options : {kPlainSimt, kLateSimt, kFusedSimt}) {
      const auto backend = make_simt_backend(options);
      Job actual(*backend, data, config);
      actual.step();
      const double factor = factor_of(config);
      for (int side = 0; side < 2; ++side) {
        const std::string where = backend->name() + ", side " + std::to_string(side);
        Comparison gradient{.actual = actual.gradient(side),
                            .expected = expected.gradient(side),
                            .magnitude = magnitudes.gradients[side],
                            .cols = config.model.width};
        if (kind == ModelKind::kMatrixFactorization) {
          gradient.written = batch_marks(expected, side);  // other rows are undefined
          gradient.actual = poison_rows(gradient.actual, gradient.cols, gradient.written);
        }
        EXPECT_TRUE(within_bound(gradient, factor, kEpsilon)) << where;
        Comparison parameter{.actual = actual.parameter(side),
                             .expected = expected.parameter(side),
                             .magnitude = absolute(before[side]),
                             .cols = config.model.width};
        for (std::size_t i = 0; i < parameter.magnitude.size(); ++i) {
          parameter.magnitude[i] += 5.0 * magnitudes.gradients[side][i];
        }
        EXPECT_TRUE(within_bound(parameter, factor, kEpsilon)) << where;
      }
      const Values losses = values_of(*backend, actual.losses);
      const Values right = values_of(*reference, expected.losses);
      for (const std::int64_t term : {0, 1}) {
        const std::int64_t at = term * expected.triplets.num_batches();
        EXPECT_NEAR(losses[at], right[at], 64 * kEpsilon * (1 + right[at])) << term;
      }
    }
  }
}

struct Trained {
  TensorFile parameters;
  std::vector<EpochRecord> records;
};

Trained train(Backend& backend, const Dataset& data, const Config& config) {
  Trainer trainer(backend, data, config);
  Trained trained;
  TrainerCallbacks callbacks;
  callbacks.on_epoch = [&](const EpochRecord& record) { trained.records.push_back(record); };
  trainer.run(callbacks);
  trained.parameters = trainer.last();
  return trained;
}

Config epochs_config(ModelKind kind) {
  Config config = planted_config(kind);
  config.epochs = 3;
  config.evaluate_every = 1;
  if (kind == ModelKind::kGcMc) {
    // Adam takes a full step even if the gradient is only rounding noise, such as the gradient of a
    // bias before a normalisation. With this seed rounding decides no ReLU.
    config.optimizer.kind = OptimizerKind::kSgd;
    config.optimizer.sgd.learning_rate = 0.1;
    config.seed = Seed{3};
  }
  return config;
}

/// Downloads only what a person reads: the losses of the steps, the figures of the tables, and a few
/// An epoch reads back the losses of its steps, twice, the figures of both tables and a few counters.
TEST(SimtTraining, ReadsBackNoTableInAnEpochWithMonitors) {
  constexpr NodeId kUsers = 1200;
  const Dataset data = planted_dataset(kUsers, 80);
  for (const ModelKind kind : kTableModels) {
    SCOPED_TRACE(model_name(kind));
    Config config = planted_config(kind);
    config.epochs = 3;  // the last one, which has an evaluation, is not reached
    config.batch_size = 4096;
    config.evaluate_every = 0;
    config.monitor.every = 1;
    const auto backend = make_simt_backend(kPlainSimt);
    Trainer trainer(*backend, data, config);
    std::vector<std::size_t> at;
    std::int64_t steps = 0;
    TrainerCallbacks callbacks;
    callbacks.on_step = [&](const StepProgress& progress) { steps = progress.steps; };
    callbacks.on_epoch = [&](const EpochRecord& record) {
      EXPECT_GT(record.user_gradient_norm, 0.0);
      EXPECT_GT(record.item_gradient_norm, 0.0);
      at.push_back(simt::downloaded_bytes());
    };
    callbacks.should_stop = [&] { return at.size() == 2; };
    trainer.run(callbacks);
    ASSERT_EQ(at.size(), 2u);
    const auto width = static_cast<std::size_t>(config.model.width);
    const std::size_t losses = 2 * sizeof(float) * 2 * static_cast<std::size_t>(steps);
    const std::size_t figures = 2 * sizeof(double) * width * (width + 3);
    EXPECT_LT(at[1] - at[0], losses + figures + 512);
    EXPECT_LT(5 * (at[1] - at[0]), sizeof(float) * width * kUsers) << "less than a table";
  }
}

TEST(SimtTraining, MeasuresTheGradientNormsOfTheReference) {
  for (const ModelKind kind : kModels) {
    SCOPED_TRACE(model_name(kind));
    const Dataset data = planted_dataset_for(kind);
    Config config = epochs_config(kind);
    config.epochs = 1;
    config.batch_size = 1 << 20;  // one step, from equal parameters
    const Trained expected = train(*make_reference_backend(), data, config);
    for (const SimtOptions& options : {kPlainSimt, kLateSimt, kFusedSimt}) {
      const Trained actual = train(*make_simt_backend(options), data, config);
      const EpochRecord& a = actual.records.at(0);
      const EpochRecord& e = expected.records.at(0);
      EXPECT_NEAR(a.user_gradient_norm, e.user_gradient_norm, 1e-4 * e.user_gradient_norm);
      EXPECT_NEAR(a.item_gradient_norm, e.item_gradient_norm, 1e-4 * e.item_gradient_norm);
      EXPECT_GT(e.user_gradient_norm, 0.0);
    }
  }
}

bool same_parameters(const Trained& a, const Trained& b) {
  if (a.parameters.tensors.size() != b.parameters.tensors.size()) return false;
  for (const auto& [name, tensor] : a.parameters.tensors) {
    if (b.parameters.tensors.at(name).values != tensor.values) return false;
  }
  return true;
}

TEST(SimtTraining, OfShortEpochsFollowsTheReference) {
  for (const ModelKind kind : kModels) {
    SCOPED_TRACE(model_name(kind));
    const Dataset data = planted_dataset_for(kind);
    const Config config = epochs_config(kind);
    const Trained expected = train(*make_reference_backend(), data, config);
    for (const SimtOptions& options : {kPlainSimt, kFusedSimt}) {
      const Trained actual = train(*make_simt_backend(options), data, config);
      SCOPED_TRACE(options.fused ? "fused" : "plain");
      ASSERT_EQ(actual.records.size(), 3u);
      for (std::size_t epoch = 0; epoch < 3; ++epoch) {
        const EpochRecord& a = actual.records[epoch];
        const EpochRecord& e = expected.records[epoch];
        EXPECT_NEAR(a.loss, e.loss, 1e-4) << epoch;
        EXPECT_NEAR(metric(*a.metrics, "recall@10"), metric(*e.metrics, "recall@10"), 0.02);
        EXPECT_NEAR(metric(*a.metrics, "ndcg@5"), metric(*e.metrics, "ndcg@5"), 0.02);
        EXPECT_NEAR(a.users.effective_rank, e.users.effective_rank, 1e-2);
        EXPECT_NEAR(a.items.mean_norm, e.items.mean_norm, 1e-3);
      }
    }
  }
}

/// An element that the two backends round to different bf16 moves by 2⁻⁸ of itself; most do not.
TEST(SimtTraining, InBf16FollowsTheReferenceAndRepeats) {
  for (const ModelKind kind : {ModelKind::kLightGcn, ModelKind::kGcMc}) {
    SCOPED_TRACE(model_name(kind));
    const Dataset data = planted_dataset_for(kind);
    Config config = epochs_config(kind);
    config.model.gather = GatherPrecision::kBf16;
    const Trained expected = train(*make_reference_backend(), data, config);
    const Trained actual = train(*make_simt_backend(kPlainSimt), data, config);
    for (std::size_t epoch = 0; epoch < 3; ++epoch) {
      EXPECT_NEAR(actual.records[epoch].loss, expected.records[epoch].loss, 1e-3) << epoch;
    }
    EXPECT_TRUE(same_parameters(actual, train(*make_simt_backend(kLateSimt), data, config)));
    config.model.gather = GatherPrecision::kOwn;
    EXPECT_FALSE(same_parameters(actual, train(*make_simt_backend(kPlainSimt), data, config)));
  }
}

TEST(SimtTraining, GivesTheSameBitsRunToRunAndDeviceToDevice) {
  for (const ModelKind kind : kModels) {
    SCOPED_TRACE(model_name(kind));
    const Dataset data = planted_dataset_for(kind);
    Config config = epochs_config(kind);
    const Trained once = train(*make_simt_backend(kPlainSimt), data, config);
    EXPECT_TRUE(same_parameters(once, train(*make_simt_backend(kPlainSimt), data, config)));
    const Trained late = train(*make_simt_backend(kLateSimt), data, config);
    EXPECT_TRUE(same_parameters(once, late)) << "another device, order and window";
    for (std::size_t epoch = 0; epoch < 3; ++epoch) {
      EXPECT_EQ(once.records[epoch].loss, late.records[epoch].loss);
      EXPECT_EQ(*once.records[epoch].metrics, *late.records[epoch].metrics);
      EXPECT_EQ(once.records[epoch].users.gram, late.records[epoch].users.gram);
    }
    config.seed = Seed{6};
    EXPECT_FALSE(same_parameters(once, train(*make_simt_backend(kPlainSimt), data, config)));
  }
}

}  // namespace
}  // namespace tern::test
