// Training with SL@K: every model, on every backend, and the thresholds that the loss keeps.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "host/train/parameters.hpp"
#include "tern/device.hpp"
#include "tern/error.hpp"
#include "tern/trainer.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/matrices.hpp"
#include "tests/train/job.hpp"
#include "tests/train/planted.hpp"

namespace tern::test {
namespace {

Config at_k_config(ModelKind kind, SoftmaxNegatives negatives = SoftmaxNegatives::kBatch) {
  Config config = planted_config(kind);
  config.loss.kind = LossKind::kSoftmaxAtK;
  config.loss.negatives = negatives;
  config.loss.softmax.temperature = 0.2;
  config.loss.softmax.mask = SoftmaxMask::kSameItem;
  config.loss.at_k = {.k = 10, .weight_temperature = 0.5, .refresh_every = 1};
  config.sampling.positives = PositiveSampling::kInteraction;
  config.sampling.negatives_per_positive = 4;
  config.batch_size = 50;
  config.l2 = 1e-5;
  config.evaluate_every = 0;
  return config;
}

class SoftmaxAtK : public testing::TestWithParam<std::tuple<SoftmaxNegatives, ModelKind>> {
 protected:
  Dataset data_ = planted_dataset_for(std::get<1>(GetParam()));
  Config config_ = at_k_config(std::get<1>(GetParam()), std::get<0>(GetParam()));
};

TEST_P(SoftmaxAtK, LearnsThePlantedGroups) {
  config_.evaluate_every = 5;
  // Smaller ones weigh pairs of a large loss down instead of learning them.
  config_.loss.at_k.weight_temperature = 2.25;
  config_.loss.at_k.refresh_every = 5;
  const auto backend = make_cpu_backend(2);
  Trainer trainer(*backend, data_, config_);
  std::vector<EpochRecord> records;
  TrainerCallbacks callbacks;
  callbacks.on_epoch = [&](const EpochRecord& record) { records.push_back(record); };
  const TrainingResult result = trainer.run(callbacks);
  EXPECT_GT(result.best_metric, 2 * 0.15);  // recall@10: twice that by chance
  ASSERT_EQ(records.size(), 20u);
  EXPECT_EQ(records[0].loss_name, "sl@k");
  EXPECT_EQ(records[0].loss, records[0].ranking_loss + records[0].l2_loss);
}

TEST_P(SoftmaxAtK, TheNumberOfThreadsLeavesTheBits) {
  config_.epochs = 3;
  config_.batch_size = 300;  // several groups of rows
  const TensorFile one = trained_parameters(*make_cpu_backend(1), data_, config_);
  for (const int threads : {2, 3, 7}) {
    EXPECT_TRUE(same(trained_parameters(*make_cpu_backend(threads), data_, config_), one))
        << threads;
  }
}

TEST_P(SoftmaxAtK, ResumesBitForBit) {
  config_.loss.at_k.refresh_every = 2;  // before epoch 3; epoch 4 has the same thresholds
  for (const BackendCase& tested : one_backend_of_each_family()) {
    SCOPED_TRACE(tested.name);
    config_.epochs = 4;
    const auto backend = tested.make();
    const TensorFile whole = trained_parameters(*backend, data_, config_);
    for (const int epochs : {2, 3}) {
      EXPECT_TRUE(same(resumed_parameters(*backend, data_, config_, epochs), whole)) << epochs;
    }
  }
}

TEST_P(SoftmaxAtK, ResumesBitForBitWithinAnEpochAfterAMeasurement) {
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
    ASSERT_TRUE(saved.tensors.contains("loss.thresholds"));
    Trainer second(*backend, data_, config_);
    second.restore(saved, "state");
    second.run();
    EXPECT_TRUE(same(second.state(), whole.state()));
  }
}

TEST_P(SoftmaxAtK, ARehearsalLeavesTheBits) {
  config_.epochs = 2;
  const auto backend = make_cpu_backend(2);
  const TensorFile expected = trained_parameters(*backend, data_, config_);
  Trainer trainer(*backend, data_, config_);
  trainer.rehearse();
  trainer.run();
  EXPECT_TRUE(same(trainer.last(), expected));
}

INSTANTIATE_TEST_SUITE_P(, SoftmaxAtK,
                         testing::Combine(testing::Values(SoftmaxNegatives::kBatch,
                                                          SoftmaxNegatives::kSampled,
                                                          SoftmaxNegatives::kMixed),
                                          testing::ValuesIn(kModels)),
                         [](const auto& info) {
                           const SoftmaxNegatives of = std::get<0>(info.param);
                           const std::string negatives = of == SoftmaxNegatives::kBatch ? "batch"
                                                         : of == SoftmaxNegatives::kSampled
                                                             ? "sampled"
                                                             : "mixed";
                           return negatives + "_" +
                                  std::string(model_name(std::get<1>(info.param)));
                         });

/// A matrix factorisation of these rows, and SL@K over it.
struct RowsAtK {
  RowsAtK(Backend& backend_in, NodeId num_users, const Values& users, NodeId num_items,
          const Values& items, const AtKOptions& at_k)
      : backend(backend_in),
        graph(backend.make_graph(
            Interactions::from_pairs(num_users, num_items, std::vector<Interaction>{{0, 0}}))) {
    ModelOptions options;
    options.kind = ModelKind::kMatrixFactorization;
    options.width = static_cast<int>(std::ssize(users) / num_users);
    model = make_model(backend, graph, Triplets(), options);
    backend.upload(std::span<const double>(users), *model->parameters()[0].value);
    backend.upload(std::span<const double>(items), *model->parameters()[1].value);
    LossOptions of_loss;
    of_loss.kind = LossKind::kSoftmaxAtK;
    of_loss.at_k = at_k;
    loss = make_loss(backend, of_loss, 0.0, num_users);
  }

  Values thresholds() { return values_of(backend, *loss->buffers().at(0).value); }

  Backend& backend;
  Graph graph;
  std::unique_ptr<Model> model;
  std::unique_ptr<Loss> loss;
};

/// The k-th best cosine of each user over all items.
Values kth_cosines(const Values& users, const Values& items, std::size_t width, std::size_t k) {
  const auto norm = [&](const Values& rows, std::size_t r) {
    double square = 0.0;
    for (std::size_t d = 0; d < width; ++d) square += std::pow(rows[r * width + d], 2);
    return std::sqrt(square);
  };
  Values found;
  for (std::size_t u = 0; u < users.size() / width; ++u) {
    Values cosines;
    for (std::size_t i = 0; i < items.size() / width; ++i) {
      double dot = 0.0;
      for (std::size_t d = 0; d < width; ++d) dot += users[u * width + d] * items[i * width + d];
      cosines.push_back(dot / norm(users, u) / norm(items, i));
    }
    std::sort(cosines.begin(), cosines.end(), std::greater<>());
    found.push_back(cosines[std::min(k, cosines.size()) - 1]);
  }
  return found;
}

class Thresholds : public BackendTest {
 protected:
  void expect_near(const Values& actual, const Values& expected) const {
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t u = 0; u < expected.size(); ++u) {
      EXPECT_NEAR(actual[u], expected[u], 1e-5) << "user " << u;
    }
  }
};

TEST_P(Thresholds, AreTheKthBestCosinesOverAllItems) {
  constexpr NodeId kUsers = 33;
  constexpr NodeId kItems = 50;
  constexpr std::int64_t kWidth = 5;
  const Values users = random_values(kUsers * kWidth, 1, 3.0);
  const Values items = random_values(kItems * kWidth, 2, 0.1);
  for (const int k : {1, 7, 50, 51, 65536}) {
    RowsAtK rows(backend_, kUsers, users, kItems, items, {.k = k, .refresh_every = 3});
    EXPECT_EQ(rows.thresholds(), Values(kUsers, 0.0)) << "before the first measurement";
    for (const int epoch : {1, 2, 3}) rows.loss->begin_epoch(*rows.model, epoch, {});
    EXPECT_EQ(rows.thresholds(), Values(kUsers, 0.0)) << "not yet";
    rows.loss->begin_epoch(*rows.model, 4, {});
    const Values measured = rows.thresholds();
    expect_near(measured, kth_cosines(users, items, kWidth, static_cast<std::size_t>(k)));
    backend_.fill(*rows.model->parameters()[0].value, 1.0);
    rows.loss->begin_epoch(*rows.model, 5, {});
    EXPECT_EQ(rows.thresholds(), measured) << "not again";
    rows.loss->begin_epoch(*rows.model, 7, {});
    EXPECT_NE(rows.thresholds(), measured);
  }
}

TEST_P(Thresholds, OfRowsWithoutDirectionOrNumbersAreFinite) {
  const double nan = std::nan("");
  // User 0 is zero, user 1 is not a number, user 2 is ordinary; so are the items.
  const Values rows{0, 0, nan, 1, 3, 4};
  RowsAtK all(backend_, 3, rows, 3, rows, {.k = 2, .refresh_every = 1});
  all.loss->begin_epoch(*all.model, 2, {});
  expect_near(all.thresholds(), {0, 0, 0});  // of user 2: 1 with item 2, 0 with item 0
  RowsAtK best(backend_, 3, rows, 3, rows, {.k = 1, .refresh_every = 1});
  best.loss->begin_epoch(*best.model, 2, {});
  expect_near(best.thresholds(), {0, 0, 1});
}

TEST_P(Thresholds, AreZerosAfterAnotherLossAndLeftByIt) {
  const Dataset data = planted_dataset();
  Config config = at_k_config(ModelKind::kLightGcn);
  config.loss.at_k.refresh_every = 2;
  Config bpr = config;
  bpr.loss.kind = LossKind::kBpr;
  const auto after = [&](Config job, int epochs) {
    job.epochs = epochs;
    Trainer trainer(backend_, data, job);
    trainer.run();
    return trainer.state();
  };
  const auto resumed = [&](Config job, const TrainingState& state) {
    job.epochs = state.progress.epoch + 1;
    Trainer trainer(backend_, data, job);
    trainer.restore(state, "state");
    trainer.run();
    return trainer.state();
  };
  const auto thresholds = [&](const TrainingState& state) {
    Matrix kept = backend_.allocate(1, data.train.num_users());
    upload_tensors(backend_, {{"loss.thresholds", &kept}},
                   {{"loss.thresholds", state.tensors.at("loss.thresholds")}}, "a state", "state");
    return values_of(backend_, kept);
  };
  const Values zeros(static_cast<std::size_t>(data.train.num_users()), 0.0);
  EXPECT_EQ(thresholds(resumed(config, after(bpr, 1))), zeros) << "epoch 2 measures nothing";
  EXPECT_NE(thresholds(resumed(config, after(bpr, 2))), zeros);
  EXPECT_FALSE(resumed(bpr, after(config, 3)).tensors.contains("loss.thresholds"));
}

TEST_P(Thresholds, OfAnUnfinishedEpochMustBeThere) {
  const Dataset data = planted_dataset();
  const Config config = at_k_config(ModelKind::kLightGcn);
  Trainer first(backend_, data, config);
  TrainerCallbacks callbacks;
  callbacks.should_stop = [&] { return first.progress().step == 2; };
  first.run(callbacks);
  TrainingState state = first.state();
  state.tensors.erase("loss.thresholds");
  Trainer second(backend_, data, config);
  EXPECT_THROW(second.restore(state, "state"), DataError);
}

/// The first question of an epoch that measures, which comes before its first step, is answered with a
/// stop. The state is that before the epoch, so that both trainers measure again.
TEST_P(Thresholds, AMeasurementMayBeInterrupted) {
  const Dataset data = planted_dataset();
  Config config = at_k_config(ModelKind::kLightGcn);
  config.epochs = 2;
  Trainer whole(backend_, data, config);
  whole.run();
  Trainer first(backend_, data, config);
  int questions = 0;
  TrainerCallbacks callbacks;
  callbacks.should_stop = [&] {
    const TrainingProgress at = first.progress();
    return at.epoch == 1 && (at.step > 0 || ++questions == 1);
  };
  EXPECT_EQ(first.run(callbacks).reason, StopReason::kRequested);
  EXPECT_EQ(first.progress().epoch, 1);
  EXPECT_EQ(first.progress().step, 0);
  EXPECT_EQ(questions, 1);
  const TrainingState saved = first.state();
  first.run();
  Trainer second(backend_, data, config);
  second.restore(saved, "state");
  second.run();
  if (!GetParam().repeats) return;
  EXPECT_TRUE(same(first.state(), whole.state()));
  EXPECT_TRUE(same(second.state(), whole.state()));
}

INSTANTIATE_TEST_SUITE_P(Backends, Thresholds, testing::ValuesIn(backends_under_test()),
                         backend_name);

}  // namespace
}  // namespace tern::test
