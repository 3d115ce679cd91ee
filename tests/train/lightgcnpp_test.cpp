// Training with the propagation of LightGCN++ beside ranking losses, on every backend.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "host/train/fold_in.hpp"
#include "tern/device.hpp"
#include "tern/error.hpp"
#include "tern/model.hpp"
#include "tern/trainer.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/matrices.hpp"
#include "tests/train/job.hpp"

namespace tern::test {
namespace {

Config plus_config(LossKind loss = LossKind::kBpr) {
  Config config = planted_config();
  config.model.propagation.kind = PropagationKind::kLightGcnPlusPlus;
  config.loss.kind = loss;
  config.loss.softmax.temperature = 0.2;
  config.evaluate_every = 0;
  return config;
}

/// The state after all epochs, or after this step of an epoch.
TrainingState plus_trained(Trainer& trainer, int epoch = -1, std::int64_t step = 0) {
  TrainerCallbacks callbacks;
  callbacks.should_stop = [&] {
    return trainer.progress().epoch == epoch && trainer.progress().step == step;
  };
  trainer.run(callbacks);
  return trainer.state();
}

class PlusPlusTraining : public testing::TestWithParam<LossKind> {};

TEST_P(PlusPlusTraining, LearnsThePlantedGroups) {
  const Dataset data = planted_dataset();
  Config config = plus_config(GetParam());
  config.evaluate_every = 5;
  config.loss.uniformity_weight = 0.3;  // 1 spreads items too far for so short a training
  const auto backend = make_cpu_backend(2);
  Trainer trainer(*backend, data, config);
  std::vector<EpochRecord> records;
  TrainerCallbacks callbacks;
  callbacks.on_epoch = [&](const EpochRecord& record) { records.push_back(record); };
  EXPECT_GT(trainer.run(callbacks).best_metric, 2 * 0.15);  // recall@10: twice that by chance
  ASSERT_EQ(records.size(), 20u);
  EXPECT_LT(records[19].loss, records[0].loss);
}

TEST_P(PlusPlusTraining, TheNumberOfThreadsLeavesTheBits) {
  const Dataset data = planted_dataset();
  Config config = plus_config(GetParam());
  config.epochs = 3;
  config.batch_size = 600;
  const auto trained = [&](int threads) {
    const auto backend = make_cpu_backend(threads);
    return trained_parameters(*backend, data, config);
  };
  const TensorFile one = trained(1);
  for (const int threads : {2, 3, 7}) EXPECT_TRUE(same(trained(threads), one)) << threads;
}

TEST_P(PlusPlusTraining, ResumesBitForBitBetweenEpochsAndWithinOne) {
  const Dataset data = planted_dataset();
  Config config = plus_config(GetParam());
  config.epochs = 3;
  config.model.layers = 3;
  for (const BackendCase& tested : one_backend_of_each_family()) {
    SCOPED_TRACE(tested.name);
    const auto backend = tested.make();
    Trainer trainer(*backend, data, config);
    const TrainingState whole = plus_trained(trainer);
    const std::int64_t steps = whole.progress.steps;
    for (const std::int64_t at : {std::int64_t{1}, steps / 2, steps}) {
      Trainer first(*backend, data, config);
      const TrainingState saved = plus_trained(first, 1, at);
      Trainer second(*backend, data, config);
      second.restore(saved);
      EXPECT_TRUE(same(plus_trained(second), whole)) << at;
    }
  }
}

TEST_P(PlusPlusTraining, OfShortEpochsFollowsTheReferenceOnEveryBackend) {
  const Dataset data = planted_dataset();
  Config config = plus_config(GetParam());
  config.epochs = 2;
  config.model.layers = 3;
  config.optimizer.kind = OptimizerKind::kSgd;
  config.optimizer.sgd.learning_rate = 0.1;
  const auto trained = [&](Backend& backend) {
    Trainer trainer(backend, data, config);
    std::vector<EpochRecord> records;
    TrainerCallbacks callbacks;
    callbacks.on_epoch = [&](const EpochRecord& record) { records.push_back(record); };
    trainer.run(callbacks);
    return records;
  };
  const std::vector<EpochRecord> expected = trained(*make_reference_backend());
  for (const BackendCase& tested : backends_under_test()) {
    SCOPED_TRACE(tested.name);
    const std::vector<EpochRecord> found = trained(*tested.make());
    for (std::size_t epoch = 0; epoch < expected.size(); ++epoch) {
      EXPECT_NEAR(found[epoch].ranking_loss, expected[epoch].ranking_loss, 1e-4);
      EXPECT_NEAR(found[epoch].l2_loss, expected[epoch].l2_loss, 1e-6);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Losses, PlusPlusTraining,
                         testing::Values(LossKind::kBpr, LossKind::kSoftmax, LossKind::kDirectAu),
                         [](const auto& info) {
                           return info.param == LossKind::kBpr       ? "bpr"
                                  : info.param == LossKind::kSoftmax ? "softmax"
                                                                     : "directau";
                         });

TEST(PlusPlusTrainer, NamesStepAndTensorOfANaN) {
  Job job(planted_dataset(), plus_config());
  Matrix& items = *job.trainer.model().parameters()[1].value;
  std::vector<double> values(static_cast<std::size_t>(items.size()), 0.1);
  values[3 * 8 + 1] = std::nan("");
  job.backend->upload(std::span<const double>(values), items);
  try {
    job.run();
    FAIL() << "a NaN was trained on";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::AllOf(testing::HasSubstr("epoch 1"),
                                             testing::HasSubstr("item_embedding has ")));
  }
}

/// A new user by the layers that models of one layer give: with γ = 0 their final embeddings are E¹.
TEST(PlusPlusFoldIn, SumsTheUnitRowsOfTheItems) {
  const Dataset data = planted_dataset();
  Config config = plus_config();
  config.epochs = 2;
  const PropagationOptions propagation = config.model.propagation;
  const auto backend = make_reference_backend();
  const TensorFile parameters = trained_parameters(*backend, data, config);
  const Graph graph = backend->make_graph(data.train);
  const auto layer = [&](int number) {
    if (number == 0) return values_of(parameters, "item_embedding");
    ModelOptions options = config.model;
    options.layers = 1;
    options.propagation.gamma = 0;
    const Triplets none;
    const auto model = make_model(*backend, graph, none, options);
    load_parameters(*backend, *model, parameters);
    model->embed();
    return values_of(*backend, model->embeddings(Side::kItem));
  };
  const std::vector<NodeId> history{3, 17, 40};
  const std::vector<Interaction> pairs{{0, history[0]}, {0, history[1]}, {0, history[2]}};
  std::vector<double> degrees(80);
  for (const NodeId item : data.train.items()) ++degrees[item];
  for (const int layers : {1, 2}) {
    config.model.layers = layers;
    ASSERT_TRUE(can_fold_in(config.model));
    const std::vector<float> found = fold_in(*backend, graph, data.train, config.model, parameters,
                                             Interactions::from_pairs(2, 80, pairs));
    ASSERT_EQ(found.size(), 16u);
    std::vector<double> expected(8);
    for (int number = 0; number < layers; ++number) {
      const std::vector<double> rows = layer(number);
      for (const NodeId item : history) {
        double square = 0;
        for (int d = 0; d < 8; ++d) square += rows[item * 8 + d] * rows[item * 8 + d];
        for (int d = 0; d < 8; ++d) {
          expected[d] += (1 - propagation.gamma) / layers * std::pow(3.0, -propagation.alpha) *
                         std::pow(degrees[item] + 1, -propagation.beta) * rows[item * 8 + d] /
                         std::sqrt(square);
        }
      }
    }
    for (int d = 0; d < 8; ++d) {
      EXPECT_NEAR(found[d], expected[d], 1e-6) << layers;
      EXPECT_EQ(found[8 + d], 0.0F);  // a user without items
    }
  }
}

}  // namespace
}  // namespace tern::test
