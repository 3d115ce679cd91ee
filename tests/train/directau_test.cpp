// Training with DirectAU: every model, on every backend.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "host/train/parameters.hpp"
#include "tern/device.hpp"
#include "tern/trainer.hpp"
#include "tests/support/backends.hpp"
#include "tests/train/job.hpp"
#include "tests/train/planted.hpp"

namespace tern::test {
namespace {

Config directau_config(ModelKind kind) {
  Config config = planted_config(kind);
  config.loss.kind = LossKind::kDirectAu;
  config.loss.uniformity_weight = 0.5;
  config.sampling.positives = PositiveSampling::kInteraction;
  config.l2 = 1e-5;
  config.evaluate_every = 0;
  return config;
}

class DirectAuTraining : public testing::TestWithParam<ModelKind> {};

TEST_P(DirectAuTraining, LearnsThePlantedGroups) {
  const Dataset data = planted_dataset_for(GetParam());
  Config config = directau_config(GetParam());
  config.evaluate_every = 5;
  const auto backend = make_cpu_backend(2);
  Trainer trainer(*backend, data, config);
  std::vector<EpochRecord> records;
  TrainerCallbacks callbacks;
  callbacks.on_epoch = [&](const EpochRecord& record) { records.push_back(record); };
  const TrainingResult result = trainer.run(callbacks);
  EXPECT_GT(result.best_metric, 2 * 0.15);  // recall@10: twice that by chance
  ASSERT_EQ(records.size(), 20u);
  EXPECT_EQ(records[0].loss_name, "directau");
  EXPECT_LT(records[19].loss, records[0].loss);
  EXPECT_EQ(records[0].loss, records[0].ranking_loss + records[0].l2_loss);
}

TEST_P(DirectAuTraining, TheNumberOfThreadsLeavesTheBits) {
  const Dataset data = planted_dataset_for(GetParam());
  Config config = directau_config(GetParam());
  config.epochs = 3;
  config.batch_size = 600;  // several groups of rows
  const TensorFile one = trained_parameters(*make_cpu_backend(1), data, config);
  for (const int threads : {2, 3, 7}) {
    EXPECT_TRUE(same(trained_parameters(*make_cpu_backend(threads), data, config), one)) << threads;
  }
}

TEST_P(DirectAuTraining, ResumesBitForBit) {
  const Dataset data = planted_dataset_for(GetParam());
  Config config = directau_config(GetParam());
  for (const BackendCase& tested : one_backend_of_each_family()) {
    config.epochs = 4;
    const auto backend = tested.make();
    const TensorFile whole = trained_parameters(*backend, data, config);
    EXPECT_TRUE(same(resumed_parameters(*backend, data, config, 2), whole)) << tested.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, DirectAuTraining, testing::ValuesIn(kModels),
                         [](const auto& info) { return std::string(model_name(info.param)); });

}  // namespace
}  // namespace tern::test
