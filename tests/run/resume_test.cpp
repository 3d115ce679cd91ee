// Training that continues from a state saved anywhere ends with the bits of one that never stopped.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tern/device.hpp"
#include "tern/error.hpp"
#include "tern/trainer.hpp"
#include "tests/train/job.hpp"

namespace tern::test {
namespace {

using ::testing::HasSubstr;

/// The results of a training: its state, its record of every epoch, and the best parameters.
struct Ending {
  TrainingState state;
  std::vector<EpochRecord> records;
  TensorFile best;
  TrainingResult result;
};

/// A trainer on a CPU with this number of threads; 0: on the reference backend.
struct Bench {
  Bench(const Config& config, int threads)
      : backend(threads == 0 ? make_reference_backend() : make_cpu_backend(threads)),
        data(planted_dataset_for(config.model.kind)),
        trainer(*backend, data, config) {}

  /// Trains until stop(progress) returns true, or to the end.
  template <typename Stop>
  void run(Ending& ending, const Stop& stop) {
    TrainerCallbacks callbacks;
    callbacks.on_epoch = [&](const EpochRecord& record) {
      ending.records.push_back(record);
      if (record.best) ending.best = trainer.best();
    };
    callbacks.should_stop = [&] { return stop(trainer.progress()); };
    ending.result = trainer.run(callbacks);
    ending.state = trainer.state();
  }

  std::unique_ptr<Backend> backend;
  Dataset data;
  Trainer trainer;
};

constexpr auto kNever = [](const TrainingProgress&) { return false; };

Config config_of(ModelKind kind, int epochs) {
  Config config = planted_config(kind);
  config.epochs = epochs;
  config.evaluate_every = 3;
  return config;
}

/// Progress and counters too, but not the time that steps took.
void expect_equal(const Ending& found, const Ending& expected) {
  EXPECT_TRUE(same(found.state, expected.state));
  TrainingProgress progress = found.state.progress;
  progress.seconds = expected.state.progress.seconds;
  EXPECT_EQ(progress, expected.state.progress);
  EXPECT_EQ(found.state.counters, expected.state.counters);
  EXPECT_TRUE(same(found.best, expected.best));
  EXPECT_EQ(found.result.best_epoch, expected.result.best_epoch);
  EXPECT_EQ(found.result.best_metric, expected.result.best_metric);
  ASSERT_EQ(found.records.size(), expected.records.size());
  for (std::size_t i = 0; i < found.records.size(); ++i) {
    const EpochRecord& one = found.records[i];
    const EpochRecord& other = expected.records[i];
    EXPECT_EQ(one.epoch, other.epoch);
    EXPECT_EQ(one.loss, other.loss);
    EXPECT_EQ(one.metrics, other.metrics);
    EXPECT_EQ(one.best, other.best);
    EXPECT_EQ(one.user_gradient_norm, other.user_gradient_norm);
    EXPECT_EQ(one.items.effective_rank, other.items.effective_rank);
  }
}

struct ResumeCase {
  ModelKind kind;
  int threads;
};

class Resume : public ::testing::TestWithParam<ResumeCase> {};

TEST_P(Resume, FourAndFourEpochsAreEight) {
  const auto [kind, threads] = GetParam();
  Ending whole;
  Bench(config_of(kind, 8), threads).run(whole, kNever);
  Ending parts;
  // Epoch 4 is evaluated as the last of the first part; a run without a stop does not evaluate it.
  Bench(config_of(kind, 4), threads).run(parts, kNever);
  ASSERT_TRUE(parts.records.back().metrics.has_value());
  parts.records.back().metrics.reset();
  parts.records.back().best = false;
  parts.best = {};
  if (whole.records[2].best) parts.best = whole.best;
  Bench second(config_of(kind, 8), threads);
  second.trainer.restore(parts.state);
  second.run(parts, kNever);
  expect_equal(parts, whole);
}

TEST_P(Resume, AnyStepIsAPlaceToStop) {
  const auto [kind, threads] = GetParam();
  Ending whole;
  Bench(config_of(kind, 3), threads).run(whole, kNever);
  const std::int64_t steps = whole.state.progress.steps;
  ASSERT_GT(steps, 5);
  for (const std::int64_t at : {std::int64_t{1}, steps / 2, steps - 1, steps}) {
    SCOPED_TRACE("stopped after step " + std::to_string(at) + " of epoch 2");
    Ending parts;
    Bench first(config_of(kind, 3), threads);
    first.run(parts, [&](const TrainingProgress& now) { return now.epoch == 1 && now.step == at; });
    EXPECT_EQ(parts.result.reason, StopReason::kRequested);
    EXPECT_EQ(first.trainer.progress().step, at);
    Bench second(config_of(kind, 3), threads);
    second.trainer.restore(parts.state);
    EXPECT_TRUE(same(second.trainer.state(), parts.state));
    second.run(parts, kNever);
    expect_equal(parts, whole);
    // The same trainer can continue as well.
    Ending further = parts;
    further.records.resize(1);
    first.run(further, kNever);
    expect_equal(further, whole);
  }
}

TEST_P(Resume, AnEvaluationMayBeInterrupted) {
  const auto [kind, threads] = GetParam();
  Ending whole;
  Bench(config_of(kind, 3), threads).run(whole, kNever);
  Ending parts;
  Bench first(config_of(kind, 3), threads);
  int asked = 0;  // at the last step, and before the first block of users
  first.run(parts, [&](const TrainingProgress& now) {
    return now.epoch == 2 && now.step == now.steps && ++asked == 2;
  });
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(parts.result.reason, StopReason::kRequested);
  EXPECT_EQ(parts.result.epochs, 2);
  Bench second(config_of(kind, 3), threads);
  second.trainer.restore(parts.state);
  second.run(parts, kNever);
  expect_equal(parts, whole);
}

std::string name_of(const ::testing::TestParamInfo<ResumeCase>& info) {
  return std::string(model_name(info.param.kind)) + "_" +
         (info.param.threads == 0 ? "reference" : std::to_string(info.param.threads) + "_threads");
}

INSTANTIATE_TEST_SUITE_P(Models, Resume,
                         ::testing::Values(ResumeCase{ModelKind::kLightGcn, 0},
                                           ResumeCase{ModelKind::kLightGcn, 1},
                                           ResumeCase{ModelKind::kLightGcn, 2},
                                           ResumeCase{ModelKind::kMatrixFactorization, 0},
                                           ResumeCase{ModelKind::kMatrixFactorization, 1},
                                           ResumeCase{ModelKind::kMatrixFactorization, 2},
                                           ResumeCase{ModelKind::kGcMc, 0},
                                           ResumeCase{ModelKind::kGcMc, 1},
                                           ResumeCase{ModelKind::kGcMc, 2}),
                         name_of);

/// Trains three epochs, with a pause in the first steps of epoch 2, after which training stops.
struct PausedEpoch {
  static constexpr double kPause = 0.2;  // seconds, much longer than an epoch takes

  explicit PausedEpoch(std::int64_t stop_step) {
    TrainerCallbacks callbacks;
    callbacks.on_epoch = [&](const EpochRecord& record) { records.push_back(record); };
    callbacks.on_step = [&](const StepProgress& now) {
      if (now.epoch != 2 || now.step != 1) return;
      std::this_thread::sleep_for(std::chrono::duration<double>(kPause));
    };
    callbacks.should_stop = [&] {
      const TrainingProgress now = bench.trainer.progress();
      return now.epoch == 1 && now.step == (stop_step < 0 ? now.steps : stop_step);
    };
    bench.trainer.run(callbacks);
  }

  Bench bench{config_of(ModelKind::kMatrixFactorization, 3), 1};
  std::vector<EpochRecord> records;
};

/// The records of the remaining epochs, by the same trainer or by one that resumes.
std::vector<EpochRecord> finish(Trainer& trainer) {
  std::vector<EpochRecord> records;
  TrainerCallbacks callbacks;
  callbacks.on_epoch = [&](const EpochRecord& record) { records.push_back(record); };
  trainer.run(callbacks);
  return records;
}

TEST(TrainingSeconds, IncludeThoseBeforeAStopWithinTheEpoch) {
  PausedEpoch paused(3);
  const double before = paused.bench.trainer.progress().seconds;
  ASSERT_GE(before, PausedEpoch::kPause);
  Bench resumed(config_of(ModelKind::kMatrixFactorization, 3), 1);
  resumed.trainer.restore(paused.bench.trainer.state());
  EXPECT_EQ(resumed.trainer.progress().seconds, before);
  for (Trainer* trainer : {&resumed.trainer, &paused.bench.trainer}) {
    const auto begin = std::chrono::steady_clock::now();
    const std::vector<EpochRecord> rest = finish(*trainer);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    ASSERT_EQ(rest.size(), 2u);
    EXPECT_GT(rest[0].seconds, before);
    EXPECT_LE(rest[0].seconds - before, elapsed.count());
    // The next epoch begins at 0 again.
    EXPECT_LE(rest[0].seconds - before + rest[1].seconds, elapsed.count());
    EXPECT_DOUBLE_EQ(rest[0].triplets_per_second * rest[0].seconds,
                     static_cast<double>(resumed.data.train.size()));
  }
}

TEST(TrainingSeconds, StayWhereOnlyTheEvaluationIsLeft) {
  PausedEpoch paused(-1);
  const TrainingProgress before = paused.bench.trainer.progress();
  ASSERT_EQ(before.step, before.steps);
  Bench resumed(config_of(ModelKind::kMatrixFactorization, 3), 1);
  resumed.trainer.restore(paused.bench.trainer.state());
  for (Trainer* trainer : {&resumed.trainer, &paused.bench.trainer}) {
    const std::vector<EpochRecord> rest = finish(*trainer);
    ASSERT_EQ(rest.size(), 2u);
    EXPECT_EQ(rest[0].seconds, before.seconds);
    EXPECT_EQ(rest[0].user_gradient_norm, before.user_gradient_norm);
  }
}

TEST(TrainingState, SgdsVelocityIsInIt) {
  Config config = config_of(ModelKind::kMatrixFactorization, 4);
  config.optimizer.kind = OptimizerKind::kSgd;
  config.optimizer.sgd = {.learning_rate = 0.5, .momentum = 0.9};
  Ending whole;
  Bench(config, 1).run(whole, kNever);
  Ending parts;
  Bench(config, 1).run(parts, [](const TrainingProgress& now) { return now.epoch == 1; });
  EXPECT_EQ(parts.state.tensors.count("optimizer.velocity.user_embedding"), 1u);
  Bench second(config, 1);
  second.trainer.restore(parts.state);
  second.run(parts, kNever);
  EXPECT_TRUE(same(parts.state, whole.state));
}

TEST(TrainingState, PatienceCountsOnAcrossAStop) {
  Config config = config_of(ModelKind::kLightGcn, 60);
  config.evaluate_every = 1;
  config.patience = 2;
  config.optimizer.adam.learning_rate = 0.2;  // stops improving soon
  Ending whole;
  Bench(config, 1).run(whole, kNever);
  ASSERT_EQ(whole.result.reason, StopReason::kPatience);
  Ending parts;
  Bench(config, 1).run(
      parts, [&](const TrainingProgress& now) { return now.epoch == whole.result.epochs - 1; });
  EXPECT_EQ(parts.state.progress.since_best, 1);
  Bench second(config, 1);
  second.trainer.restore(parts.state);
  second.run(parts, kNever);
  EXPECT_EQ(parts.result.epochs, whole.result.epochs);
  EXPECT_EQ(parts.result.reason, StopReason::kPatience);
  // A training that ended like this does not continue.
  Bench third(config, 1);
  third.trainer.restore(whole.state);
  Ending none;
  third.run(none, kNever);
  EXPECT_EQ(none.result.reason, StopReason::kPatience);
  EXPECT_TRUE(none.records.empty());
  EXPECT_TRUE(same(none.state, whole.state));
}

TEST(TrainingState, HoldsNothingOfATrainingThatWasGivenUp) {
  // Diverging numbers fill the losses of an epoch with values that no file may hold.
  Config config = config_of(ModelKind::kMatrixFactorization, 2);
  config.optimizer.adam.learning_rate = 1e30;
  Bench bench(config, 1);
  EXPECT_THROW(bench.trainer.run(), NumericalFault);
  bench.trainer.restart();
  bench.trainer.set_rollbacks(107);  // 1e-2
  TrainerCallbacks callbacks;
  callbacks.should_stop = [&] { return bench.trainer.progress().step == 2; };
  bench.trainer.run(callbacks);
  const TrainingState state = bench.trainer.state();
  const auto& losses = std::get<std::vector<float>>(state.tensors.at("training.losses").values);
  EXPECT_GT(losses[1], 0.0F);
  EXPECT_EQ(losses[2], 0.0F);
}

TEST(TrainingState, RestartingIsANewBeginning) {
  const Config config = config_of(ModelKind::kGcMc, 3);
  Ending whole;
  Bench bench(config, 1);
  bench.run(whole, kNever);
  bench.trainer.restart();
  Ending again;
  bench.run(again, kNever);
  expect_equal(again, whole);
}

TEST(TrainingState, RollbacksHalveTheLearningRateForGood) {
  Config config = config_of(ModelKind::kMatrixFactorization, 2);
  Config quarter = config;
  quarter.optimizer.adam.learning_rate /= 4.0;
  Ending expected;
  Bench(quarter, 1).run(expected, kNever);
  Ending found;
  Bench first(config, 1);
  first.trainer.set_rollbacks(2);
  first.run(found, [](const TrainingProgress& now) { return now.epoch == 1; });
  EXPECT_EQ(found.state.progress.rollbacks, 2);
  Bench second(config, 1);
  second.trainer.restore(found.state);
  EXPECT_EQ(second.trainer.progress().rollbacks, 2);
  second.run(found, kNever);
  EXPECT_TRUE(same(found.state, expected.state));
}

TEST(TrainingState, WhatDoesNotFitIsRefusedAndChangesNothing) {
  const Config config = config_of(ModelKind::kGcMc, 2);
  Ending ending;
  Bench(config, 0).run(ending, [](const TrainingProgress& now) { return now.step == 3; });
  const auto complaint = [&](const TrainingState& state, const Config& other) {
    Bench bench(other, 0);
    const TensorFile before = bench.trainer.last();
    std::string message = "nothing";
    try {
      bench.trainer.restore(state, "some/file");
    } catch (const DataError& error) {
      message = error.what();
    }
    EXPECT_TRUE(same(bench.trainer.last(), before)) << message;
    return message;
  };
  TrainingState state = ending.state;
  state.tensors.erase("user_embedding");
  EXPECT_THAT(complaint(state, config), HasSubstr("some/file: user_embedding is missing"));
  state = ending.state;
  state.counters.clear();
  EXPECT_THAT(complaint(state, config),
              HasSubstr("some/file: the counter dropout_steps is missing"));

  Config other = config;
  other.model.width = 6;
  EXPECT_THAT(complaint(ending.state, other), HasSubstr("has shape"));
  other = config;
  other.batch_size = 50;
  EXPECT_THAT(complaint(ending.state, other), HasSubstr("saved at step 3 of"));
  other = config;
  other.optimizer.kind = OptimizerKind::kSgd;
  EXPECT_THAT(complaint(ending.state, other), HasSubstr("is not a parameter of a state of gcmc"));
}

TEST(TrainingState, NoneIsTakenOfNumbersThatAreNotFinite) {
  Config config = config_of(ModelKind::kMatrixFactorization, 2);
  config.optimizer.kind = OptimizerKind::kSgd;
  config.optimizer.sgd.learning_rate = 1e308;
  Bench bench(config, 0);
  TrainerCallbacks callbacks;
  callbacks.should_stop = [&] { return bench.trainer.progress().step == 4; };
  // Stopped long before the trainer's own check.
  bench.trainer.run(callbacks);
  try {
    bench.trainer.state();
    FAIL() << "infinities passed as a state";
  } catch (const NumericalFault& fault) {
    EXPECT_THAT(fault.what(), HasSubstr("epoch 1: at step "));
  }
}

}  // namespace
}  // namespace tern::test
