// Training with losses over sampled negatives, softmax (also mixed with those of the batch) and CCL:
// every model, on every backend.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "host/train/parameters.hpp"
#include "host/train/sampling.hpp"
#include "tern/device.hpp"
#include "tern/trainer.hpp"
#include "tests/support/backends.hpp"
#include "tests/train/job.hpp"
#include "tests/train/planted.hpp"

namespace tern::test {
namespace {

struct SampledLoss {
  LossKind kind;
  SoftmaxNegatives negatives = SoftmaxNegatives::kSampled;

  std::string name() const { return kind == LossKind::kCcl ? "ccl" : "softmax"; }
};

Config sampled_config(LossKind loss, ModelKind kind,
                      SoftmaxNegatives negatives = SoftmaxNegatives::kSampled) {
  Config config = planted_config(kind);
  config.loss.kind = loss;
  config.loss.negatives = negatives;
  config.loss.softmax.mask = SoftmaxMask::kObserved;
  config.loss.softmax.temperature = 0.2;
  config.loss.softmax.negative_weight = loss == LossKind::kCcl ? 4.0 : 1.0;
  config.loss.margin = 0.3;
  config.sampling.positives = PositiveSampling::kInteraction;
  config.sampling.negatives_per_positive = 4;
  config.batch_size = 50;  // pairs
  config.l2 = 1e-5;
  config.evaluate_every = 0;
  return config;
}

class SampledLosses : public testing::TestWithParam<std::tuple<SampledLoss, ModelKind>> {
 protected:
  Dataset data_ = planted_dataset_for(std::get<1>(GetParam()));
  const SampledLoss loss_ = std::get<0>(GetParam());
  Config config_ = sampled_config(loss_.kind, std::get<1>(GetParam()), loss_.negatives);
};

TEST_P(SampledLosses, LearnThePlantedGroups) {
  config_.evaluate_every = 5;
  const auto backend = make_cpu_backend(2);
  Trainer trainer(*backend, data_, config_);
  std::vector<EpochRecord> records;
  std::int64_t steps = 0;
  TrainerCallbacks callbacks;
  callbacks.on_epoch = [&](const EpochRecord& record) { records.push_back(record); };
  callbacks.on_step = [&](const auto& step) { steps = step.steps; };
  const TrainingResult result = trainer.run(callbacks);
  EXPECT_GT(result.best_metric, 2 * 0.15);  // recall@10: twice that by chance
  ASSERT_EQ(records.size(), 20u);
  EXPECT_EQ(records[0].loss_name, loss_.name());
  EXPECT_LT(records[19].loss, records[0].loss);
  EXPECT_EQ(records[0].loss, records[0].ranking_loss + records[0].l2_loss);
  EXPECT_EQ(steps, (data_.train.size() + 49) / 50) << "train.batch_size counts pairs";
}

TEST_P(SampledLosses, TheNumberOfThreadsLeavesTheBits) {
  config_.epochs = 3;
  config_.batch_size = 300;  // several blocks of pairs
  const TensorFile one = trained_parameters(*make_cpu_backend(1), data_, config_);
  for (const int threads : {2, 3, 7}) {
    EXPECT_TRUE(same(trained_parameters(*make_cpu_backend(threads), data_, config_), one))
        << threads;
  }
}

TEST_P(SampledLosses, ResumeBitForBit) {
  if (loss_.kind == LossKind::kSoftmax) {
    config_.sampling.negatives = NegativeSampling::kPopularity;
  }
  if (loss_.negatives == SoftmaxNegatives::kMixed) config_.loss.softmax.popularity_correction = 1;
  for (const BackendCase& tested : one_backend_of_each_family()) {
    config_.epochs = 4;
    const auto backend = tested.make();
    const TensorFile whole = trained_parameters(*backend, data_, config_);
    EXPECT_TRUE(same(resumed_parameters(*backend, data_, config_, 2), whole)) << tested.name;
  }
}

TEST_P(SampledLosses, ResumeBitForBitWithinAnEpoch) {
  config_.epochs = 2;
  for (const BackendCase& tested : one_backend_of_each_family()) {
    SCOPED_TRACE(tested.name);
    const auto backend = tested.make();
    Trainer whole(*backend, data_, config_);
    whole.run();
    Trainer first(*backend, data_, config_);
    const std::int64_t middle = first.progress().steps / 2;
    TrainerCallbacks callbacks;
    callbacks.should_stop = [&] {
      return first.progress().epoch == 1 && first.progress().step == middle;
    };
    first.run(callbacks);
    const TrainingState saved = first.state();
    ASSERT_EQ(saved.progress.step, middle);
    Trainer second(*backend, data_, config_);
    second.restore(saved, "state");
    second.run();
    EXPECT_TRUE(same(second.state(), whole.state()));
  }
}

INSTANTIATE_TEST_SUITE_P(, SampledLosses,
                         testing::Combine(testing::Values(SampledLoss{LossKind::kSoftmax},
                                                          SampledLoss{LossKind::kSoftmax,
                                                                      SoftmaxNegatives::kMixed},
                                                          SampledLoss{LossKind::kCcl}),
                                          testing::ValuesIn(kModels)),
                         [](const auto& info) {
                           const SampledLoss& loss = std::get<0>(info.param);
                           const bool mixed = loss.negatives == SoftmaxNegatives::kMixed;
                           return (mixed ? "mixed_" : "") + loss.name() + "_" +
                                  std::string(model_name(std::get<1>(info.param)));
                         });

TEST(BatchTriplets, AreWholePairsOnlyForLossesThatContrastSamples) {
  Config config = sampled_config(LossKind::kCcl, ModelKind::kMatrixFactorization);
  EXPECT_EQ(batch_triplets(config), 200);
  EXPECT_EQ(sampling_of(config).negatives_per_positive, 4);
  config.loss.kind = LossKind::kSoftmax;
  EXPECT_EQ(batch_triplets(config), 200);
  config.loss.negatives = SoftmaxNegatives::kMixed;
  EXPECT_EQ(batch_triplets(config), 200);
  EXPECT_EQ(sampling_of(config).negatives_per_positive, 4);
  config.loss.negatives = SoftmaxNegatives::kBatch;
  EXPECT_EQ(batch_triplets(config), 50);
  EXPECT_EQ(sampling_of(config).negatives_per_positive, 0);
  config.loss.kind = LossKind::kBpr;
  EXPECT_EQ(batch_triplets(config), 50) << "each negative makes a triplet of its own";
  EXPECT_EQ(sampling_of(config).negatives_per_positive, 4);
}

/// A loss that a job may change to between epochs.
Config changed_loss(LossKind loss, SoftmaxNegatives negatives) {
  Config config = sampled_config(loss, ModelKind::kLightGcn);
  config.loss.negatives = negatives;
  config.epochs = 2;
  return config;
}

/// The steps of the epoch after that of `saved`. Checks that they are numbered, finite and counted.
std::int64_t steps_after(Backend& backend, const Dataset& data, const Config& config,
                         const TrainingState& saved) {
  Trainer trainer(backend, data, config);
  trainer.restore(saved, "state");
  std::int64_t made = 0;
  std::vector<EpochRecord> records;
  TrainerCallbacks callbacks;
  callbacks.on_step = [&](const StepProgress& progress) {
    EXPECT_EQ(progress.epoch, 2);
    EXPECT_EQ(progress.step, ++made);
  };
  callbacks.on_epoch = [&](const EpochRecord& record) { records.push_back(record); };
  trainer.run(callbacks);
  EXPECT_EQ(records.size(), 1u);
  for (const EpochRecord& record : records) EXPECT_TRUE(std::isfinite(record.loss));
  EXPECT_EQ(trainer.state().progress.updates, saved.progress.updates + made);
  EXPECT_EQ(trainer.progress().steps, made);
  return made;
}

/// With bpr each of a pair's 4 triplets counts in a batch, with a loss over samples the pair; in-batch
/// softmax draws no negatives.
TEST(SampledLossesResumed, AfterAnotherLossMakeTheStepsOfTheirOwn) {
  const Dataset data = planted_dataset();
  const auto batches = [](std::int64_t size) { return (size + 49) / 50; };
  const std::int64_t pairs = data.train.size();
  const Config bpr = changed_loss(LossKind::kBpr, SoftmaxNegatives::kBatch);
  const Config ccl = changed_loss(LossKind::kCcl, SoftmaxNegatives::kBatch);
  const Config batch = changed_loss(LossKind::kSoftmax, SoftmaxNegatives::kBatch);
  const Config sampled = changed_loss(LossKind::kSoftmax, SoftmaxNegatives::kSampled);
  const Config mixed = changed_loss(LossKind::kSoftmax, SoftmaxNegatives::kMixed);
  for (const BackendCase& tested : one_backend_of_each_family()) {
    SCOPED_TRACE(tested.name);
    const auto backend = tested.make();
    const auto after_epoch = [&](Config config) {
      config.epochs = 1;
      Trainer trainer(*backend, data, config);
      trainer.run();
      return trainer.state();
    };
    EXPECT_EQ(steps_after(*backend, data, ccl, after_epoch(bpr)), batches(pairs));
    EXPECT_EQ(steps_after(*backend, data, bpr, after_epoch(ccl)), batches(4 * pairs));
    EXPECT_EQ(steps_after(*backend, data, sampled, after_epoch(batch)), batches(pairs));
    EXPECT_EQ(steps_after(*backend, data, mixed, after_epoch(sampled)), batches(pairs));
  }
}

}  // namespace
}  // namespace tern::test
