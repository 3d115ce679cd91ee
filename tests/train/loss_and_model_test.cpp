// Trainings of the losses over models that the tests of one loss (softmax_test, directau_test, sampled_losses_test,
// softmax_at_k_test) or of one model (xsimgcl_test, lightgcnpp_test) leave out. With them each loss is trained and resumed
// over each model on every backend, and by any number of threads.

#include <gtest/gtest.h>

#include <cmath>
#include <ostream>
#include <string>
#include <vector>

#include "tern/device.hpp"
#include "tern/trainer.hpp"
#include "tests/support/backends.hpp"
#include "tests/train/job.hpp"

namespace tern::test {
namespace {

struct LossOverModel {
  std::string name;
  LossKind loss;
  SoftmaxNegatives negatives = SoftmaxNegatives::kBatch;
  ModelKind model = ModelKind::kLightGcn;
  PropagationKind propagation = PropagationKind::kLightGcn;
  ContrastKind contrast = ContrastKind::kNone;
};

void PrintTo(const LossOverModel& pair, std::ostream* out) {
  *out << pair.name;
}

std::vector<LossOverModel> left_out_elsewhere() {
  const auto bpr = LossKind::kBpr;
  const auto softmax = LossKind::kSoftmax;
  const auto at_k = LossKind::kSoftmaxAtK;
  const auto batch = SoftmaxNegatives::kBatch;
  const auto sampled = SoftmaxNegatives::kSampled;
  const auto mixed = SoftmaxNegatives::kMixed;
  std::vector<LossOverModel> all{{"bpr_over_lightgcn", bpr},
                                 {"bpr_over_mf", bpr, batch, ModelKind::kMatrixFactorization},
                                 {"bpr_over_gcmc", bpr, batch, ModelKind::kGcMc}};
  const auto add = [&](const std::string& name, LossKind loss, SoftmaxNegatives negatives) {
    all.push_back({.name = name + "_over_lightgcnpp", .loss = loss, .negatives = negatives});
    all.back().propagation = PropagationKind::kLightGcnPlusPlus;
  };
  add("ccl", LossKind::kCcl, batch);
  add("sampled_softmax", softmax, sampled);
  add("mixed_softmax", softmax, mixed);
  add("at_k", at_k, batch);
  add("sampled_at_k", at_k, sampled);
  add("mixed_at_k", at_k, mixed);
  for (const SoftmaxNegatives negatives : {sampled, mixed}) {
    all.push_back(
        {.name = negatives == mixed ? "mixed_at_k_over_xsimgcl" : "sampled_at_k_over_xsimgcl",
         .loss = at_k,
         .negatives = negatives});
    all.back().contrast = ContrastKind::kXSimGcl;
  }
  return all;
}

class LossAndModel : public testing::TestWithParam<LossOverModel> {
 protected:
  LossAndModel() {
    config_ = planted_config(GetParam().model);
    config_.model.propagation.kind = GetParam().propagation;
    config_.model.contrast.kind = GetParam().contrast;
    config_.model.contrast.layer = 1;
    config_.loss.kind = GetParam().loss;
    config_.loss.negatives = GetParam().negatives;
    config_.loss.softmax.temperature = 0.2;
    config_.loss.margin = 0.3;
    config_.loss.at_k = {.k = 10, .weight_temperature = 2.25, .refresh_every = 2};
    config_.sampling.positives = PositiveSampling::kInteraction;
    if (GetParam().loss != LossKind::kBpr) config_.sampling.negatives_per_positive = 4;
    config_.batch_size = 60;
    config_.epochs = 3;
    config_.evaluate_every = 0;
  }

  Dataset data_ = planted_dataset_for(GetParam().model);
  Config config_;
};

TEST_P(LossAndModel, TrainsAndResumesBitForBitOnEveryBackend) {
  for (const BackendCase& tested : one_backend_of_each_family()) {
    SCOPED_TRACE(tested.name);
    const auto backend = tested.make();
    Trainer trainer(*backend, data_, config_);
    const TensorFile untrained = trainer.last();
    std::vector<double> losses;
    TrainerCallbacks callbacks;
    callbacks.on_epoch = [&](const EpochRecord& record) { losses.push_back(record.loss); };
    trainer.run(callbacks);
    ASSERT_EQ(losses.size(), 3u);
    for (const double loss : losses) EXPECT_TRUE(std::isfinite(loss)) << loss;
    EXPECT_LT(losses[1], losses[0]);  // epochs of the same thresholds of sl@k
    const TensorFile whole = trainer.last();
    EXPECT_FALSE(same(whole, untrained));
    for (const int before : {1, 2}) {
      EXPECT_TRUE(same(resumed_parameters(*backend, data_, config_, before), whole)) << before;
    }
  }
}

TEST_P(LossAndModel, TheNumberOfThreadsLeavesTheBits) {
  config_.epochs = 2;
  config_.batch_size = 300;
  const TensorFile one = trained_parameters(*make_cpu_backend(1), data_, config_);
  for (const int threads : {2, 3, 7}) {
    EXPECT_TRUE(same(trained_parameters(*make_cpu_backend(threads), data_, config_), one))
        << threads;
  }
}

INSTANTIATE_TEST_SUITE_P(, LossAndModel, testing::ValuesIn(left_out_elsewhere()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace tern::test
