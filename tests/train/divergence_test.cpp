// Losses and parameters that are not finite, at every place where they can first be detected.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "tern/error.hpp"
#include "tests/train/job.hpp"

namespace tern::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(Divergence, NamesStepAndTensorOfANaN) {
  for (const ModelKind kind : kModels) {
    Job job(planted_dataset_for(kind), planted_config(kind));
    const auto& parameters = job.trainer.model().parameters();
    const auto found = std::find_if(parameters.begin(), parameters.end(), [](const Parameter& of) {
      return of.name == "item_embedding";
    });
    ASSERT_NE(found, parameters.end());
    Matrix& items = *found->value;
    std::vector<double> values(static_cast<std::size_t>(items.size()), 0.1);
    values[3 * 8 + 1] = std::nan("");
    job.backend->upload(std::span<const double>(values), items);
    try {
      job.run();
      FAIL() << "a NaN was trained on";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), AllOf(HasSubstr("epoch 1"), HasSubstr("at step "),
                                      // In gcmc one NaN reaches every parameter within a step.
                                      HasSubstr(kind == ModelKind::kGcMc ? "user_embedding has "
                                                                         : "item_embedding has "),
                                      HasSubstr("no earlier parameters")));
    }
    EXPECT_TRUE(job.trainer.best().tensors.empty());
  }
}

TEST(Divergence, NamesTheFirstStepThatWasBad) {
  // The first steps are fine; then one element becomes a NaN, in an item of the batch or in another.
  Config config = planted_config(ModelKind::kMatrixFactorization);
  config.batch_size = 1;
  config.epochs = 1;
  std::string steps;
  for (const NodeId bad : {3, 42}) {
    Job job(planted_dataset(), config);
    job.callbacks.on_step = [&](const StepProgress& progress) {
      steps = std::to_string(progress.steps);
      if (progress.step != 30) return;
      Matrix& items = *job.trainer.model().parameters()[1].value;
      std::vector<double> values(static_cast<std::size_t>(items.size()), 0.1);
      values[static_cast<std::size_t>(bad) * 8] = std::numeric_limits<double>::quiet_NaN();
      job.backend->upload(std::span<const double>(values), items);
    };
    try {
      job.run();
      FAIL() << "a NaN was trained on";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("at step 31 of " + steps));
    }
  }
}

TEST(Divergence, IsFoundWithinAThousandStepsOfALongEpoch) {
  for (const std::int64_t sound : {10, 1200}) {
    Config config = planted_config(ModelKind::kMatrixFactorization);
    config.batch_size = 1;
    config.epochs = 1;
    Job job(planted_dataset(400), config);
    std::int64_t reported = 0;
    job.callbacks.on_step = [&](const StepProgress& progress) {
      reported = progress.step;
      ASSERT_GT(progress.steps, 2500);
      if (progress.step != sound) return;
      Matrix& users = *job.trainer.model().parameters()[0].value;
      job.backend->fill(users, std::numeric_limits<double>::quiet_NaN());
    };
    try {
      job.run();
      FAIL() << "a NaN was trained on";
    } catch (const NumericalFault& fault) {
      EXPECT_THAT(fault.what(), AllOf(HasSubstr("at step " + std::to_string(sound + 1) + " of "),
                                      HasSubstr("the bpr loss is ")));
    }
    EXPECT_LT(reported, sound + 1000);
  }
}

TEST(Divergence, KeepsTheBestParametersWhenALaterEpochDiverges) {
  Config config = planted_config(ModelKind::kMatrixFactorization);
  config.evaluate_every = 1;
  Job job(planted_dataset(), config);
  TensorFile good;
  job.callbacks.on_epoch = [&](const EpochRecord& record) {
    if (record.epoch < 2) return;
    good = job.trainer.best();
    Matrix& users = *job.trainer.model().parameters()[0].value;
    job.backend->fill(users, std::numeric_limits<double>::infinity());
  };
  try {
    job.run();
    FAIL() << "infinities were trained on";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("epoch 3"), HasSubstr("user_embedding has 960 of 960 elements"),
                      HasSubstr("of epoch "), HasSubstr("are kept")));
  }
  EXPECT_TRUE(same(job.trainer.best(), good));
}

TEST(Divergence, NamesTheExponentsOfLightGcnPlusPlus) {
  const auto complaint = [](Backend& backend, const Config& config) -> std::string {
    const Dataset data = planted_dataset();
    try {
      Trainer(backend, data, config).run();
    } catch (const NumericalFault& fault) {
      return fault.what();
    }
    return "";
  };
  const auto f32 = make_cpu_backend(1);
  const auto f64 = make_reference_backend();
  // Powers of the degrees, whatever the learning rate: the product of two rows overflows.
  Config config = planted_config();
  config.model.propagation = {
      .kind = PropagationKind::kLightGcnPlusPlus, .alpha = -10, .beta = -10};
  config.optimizer.adam.learning_rate = 1e-9;
  EXPECT_THAT(complaint(*f32, config),
              HasSubstr("; a smaller learning rate, or exponents nearer to 0 (propagation.alpha is "
                        "-10, propagation.beta -10) may help"));
  // Without exponents the message names none.
  config = planted_config();
  config.optimizer.kind = OptimizerKind::kSgd;
  config.optimizer.sgd = {.learning_rate = 1e308, .weight_decay = 1e308};
  EXPECT_THAT(complaint(*f64, config), testing::EndsWith("; a smaller learning rate may help"));
}

TEST(Divergence, FindsDivergenceThatTheLossHasNotSeenYet) {
  // One batch an epoch: the loss is of the step before the update that breaks everything.
  Config config = planted_config();
  config.batch_size = 100000;
  config.epochs = 1;
  config.optimizer.kind = OptimizerKind::kSgd;
  config.optimizer.sgd.learning_rate = 1e308;
  config.optimizer.sgd.weight_decay = 1e308;
  Job job(planted_dataset(), config);
  try {
    job.run();
    FAIL() << "infinities passed as embeddings";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("epoch 1"), HasSubstr("at step 1 of 1 the update of "),
                      HasSubstr("user_embedding has")));
  }
}

}  // namespace
}  // namespace tern::test
