// mf, whose optimiser updates rows when they are next read, trains as a model with dense gradients:
// lightgcn without layers is the same model, but updates every row in every step.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/train/job.hpp"

namespace tern::test {
namespace {

std::vector<OptimizerOptions> every_optimizer() {
  std::vector<OptimizerOptions> all;
  for (const double weight_decay : {0.0, 0.01}) {
    OptimizerOptions adam;
    adam.adam.learning_rate = 0.02;
    adam.adam.weight_decay = weight_decay;
    all.push_back(adam);
    for (const double momentum : {0.0, 0.9}) {
      OptimizerOptions sgd;
      sgd.kind = OptimizerKind::kSgd;
      sgd.sgd = {.learning_rate = 0.5, .momentum = momentum, .weight_decay = weight_decay};
      all.push_back(sgd);
    }
  }
  return all;
}

/// A training of several batches an epoch, in which most rows are in few batches.
Config sparse_config(const OptimizerOptions& optimizer, ModelKind kind) {
  Config config = planted_config(kind);
  config.model.layers = 0;
  config.optimizer = optimizer;
  config.batch_size = 20;
  config.epochs = 4;
  return config;
}
constexpr ModelKind kRows = ModelKind::kMatrixFactorization;
constexpr ModelKind kDense = ModelKind::kLightGcn;

/// A trainer and the losses of its epochs.
struct Training {
  Training(Backend& backend, const Dataset& data, const Config& config)
      : trainer(backend, data, config) {}

  /// Until the end, or until the step of the epoch.
  void run(int stop_epoch = 0, std::int64_t stop_step = 0) {
    bool stop = false;
    TrainerCallbacks callbacks;
    callbacks.on_epoch = [&](const EpochRecord& record) { losses.push_back(record.loss); };
    callbacks.on_step = [&](const StepProgress& progress) {
      stop = progress.epoch == stop_epoch && progress.step == stop_step;
    };
    callbacks.should_stop = [&] { return stop; };
    trainer.run(callbacks);
  }

  Trainer trainer;
  std::vector<double> losses;
};

class MissedUpdates : public testing::TestWithParam<int> {
 protected:
  /// 0: the reference; else the number of threads.
  static std::unique_ptr<Backend> make_backend() {
    return GetParam() == 0 ? make_reference_backend() : make_cpu_backend(GetParam());
  }

  std::unique_ptr<Backend> backend_ = make_backend();
  const Dataset data_ = planted_dataset();
};

TEST_P(MissedUpdates, AreThoseOfDenseGradients) {
  for (const OptimizerOptions& optimizer : every_optimizer()) {
    Config rows_config = sparse_config(optimizer, kRows);
    rows_config.evaluate_every = 1;
    Config dense_config = sparse_config(optimizer, kDense);
    dense_config.evaluate_every = 1;
    Training rows(*backend_, data_, rows_config);
    Training dense(*backend_, data_, dense_config);
    rows.run();
    dense.run();
    EXPECT_EQ(rows.losses, dense.losses);
    EXPECT_TRUE(same(rows.trainer.last(), dense.trainer.last()));
    EXPECT_TRUE(same(rows.trainer.best(), dense.trainer.best()));
    EXPECT_TRUE(same(rows.trainer.state(), dense.trainer.state())) << "moments too";
  }
}

TEST_P(MissedUpdates, AreMadeBeforeASnapshotWithinAnEpoch) {
  for (const OptimizerOptions& optimizer : every_optimizer()) {
    Training rows(*backend_, data_, sparse_config(optimizer, kRows));
    Training dense(*backend_, data_, sparse_config(optimizer, kDense));
    for (Training* training : {&rows, &dense}) training->run(2, 7);
    ASSERT_EQ(rows.trainer.progress().step, 7);
    EXPECT_TRUE(same(rows.trainer.last(), dense.trainer.last()));
    EXPECT_TRUE(same(rows.trainer.state(), dense.trainer.state()));
    for (Training* training : {&rows, &dense}) training->run(3, 2);
    EXPECT_TRUE(same(rows.trainer.state(), dense.trainer.state()));
  }
}

TEST_P(MissedUpdates, DoNotDependOnEvaluationsAndStops) {
  for (const OptimizerOptions& optimizer : every_optimizer()) {
    Config config = sparse_config(optimizer, kRows);
    config.evaluate_every = 0;
    config.monitor.every = 0;
    Training plain(*backend_, data_, config);
    plain.run();
    config.evaluate_every = config.monitor.every = 1;
    Training evaluated(*backend_, data_, config);
    evaluated.run(2, 5);
    const TrainingState saved = evaluated.trainer.state();
    evaluated.run();
    EXPECT_TRUE(same(evaluated.trainer.state(), plain.trainer.state()));
    Training resumed(*backend_, data_, config);
    resumed.trainer.restore(saved, "saved");
    resumed.run();
    EXPECT_TRUE(same(resumed.trainer.state(), plain.trainer.state()));
    resumed.trainer.restart();
    resumed.run();
    EXPECT_TRUE(same(resumed.trainer.state(), plain.trainer.state()));
  }
}

TEST_P(MissedUpdates, AreThoseOfTheLearningRateOfTheirTime) {
  for (const OptimizerOptions& optimizer : every_optimizer()) {
    const auto trained = [&](ModelKind kind) {
      Config config = sparse_config(optimizer, kind);
      config.evaluate_every = 1;
      Training training(*backend_, data_, config);
      training.run(2, 7);
      training.trainer.set_rollbacks(2);
      training.run();
      return training.trainer.state();
    };
    EXPECT_TRUE(same(trained(kRows), trained(kDense)));
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, MissedUpdates, testing::Values(0, 1, 3), [](const auto& info) {
  return info.param == 0 ? std::string("reference") : "cpu_" + std::to_string(info.param);
});

}  // namespace
}  // namespace tern::test
