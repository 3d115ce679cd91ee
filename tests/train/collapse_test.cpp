// The question that this project answers, replayed on the Debian graph: a GC-MC encoder whose loss
// sums the batch inside the sigmoid, without a penalty, and the same encoder with Tern's loss.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "host/train/monitor.hpp"
#include "tern/baselines.hpp"
#include "tern/device.hpp"
#include "tern/evaluation.hpp"
#include "tern/trainer.hpp"
#include "tests/support/matrices.hpp"
#include "tests/train/job.hpp"

namespace tern::test {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

/// loss = log σ(S), S = Σ_t u_t·(p_t - n_t) over the batch. All triplets share the factor σ(-S),
/// and the loss has no lower bound: it falls with S, which is unbounded.
class SumInsideTheSigmoid final : public Loss {
 public:
  explicit SumInsideTheSigmoid(Backend& backend) : backend_(backend) {}

  std::string_view name() const override { return "faulty"; }
  bool is_recorded() const override { return false; }  // it downloads embeddings

  void backward(Model& model, Batch& batch, Matrix& losses) override {
    const Values users = values_of(backend_, model.embeddings(Side::kUser));
    const Values items = values_of(backend_, model.embeddings(Side::kItem));
    const auto width = static_cast<std::size_t>(model.embeddings(Side::kUser).cols());
    Values of_users(users.size(), 0.0);
    Values of_items(items.size(), 0.0);
    double sum = 0.0;
    for (const auto& [u, p, n] : batch.read()) {
      for (std::size_t d = 0; d < width; ++d) {
        const double difference = items[p * width + d] - items[n * width + d];
        sum += users[u * width + d] * difference;
        of_users[u * width + d] += difference;
        of_items[p * width + d] += users[u * width + d];
        of_items[n * width + d] -= users[u * width + d];
      }
    }
    const double factor = 1.0 / (1.0 + std::exp(sum));
    for (Values* of : {&of_users, &of_items}) {
      for (double& value : *of) value *= factor;
    }
    backend_.upload(std::span<const double>(of_users), model.embedding_gradient(Side::kUser));
    backend_.upload(std::span<const double>(of_items), model.embedding_gradient(Side::kItem));
    model.backward();
    Values all = values_of(backend_, losses);
    all[static_cast<std::size_t>(batch.number())] =
        std::min(sum, 0.0) - std::log1p(std::exp(-std::abs(sum)));
    backend_.upload(std::span<const double>(all), losses);
  }

 private:
  Backend& backend_;
};

const Dataset& debian() {
  static const Dataset data = load_dataset(std::string(TERN_TEST_DATA) + "/debian");
  return data;
}

Config encoder(int epochs) {
  Config config;
  config.model.kind = ModelKind::kGcMc;
  config.epochs = epochs;
  config.evaluate_every = 0;
  return config;
}

Config faulty_recipe(int epochs) {
  Config config = encoder(epochs);
  config.optimizer.kind = OptimizerKind::kSgd;
  config.optimizer.sgd.learning_rate = 1e-5;
  config.l2 = 0.0;
  return config;
}

struct Outcome {
  TrainingResult result;
  std::vector<EpochRecord> records;
};

enum class Recipe { kFaulty, kTern };

Outcome train(const Config& config, Recipe recipe) {
  const std::unique_ptr<Backend> backend = make_cpu_backend(2);
  std::unique_ptr<Trainer> trainer =
      recipe == Recipe::kTern
          ? std::make_unique<Trainer>(*backend, debian(), config)
          : std::make_unique<Trainer>(*backend, debian(), config,
                                      std::make_unique<SumInsideTheSigmoid>(*backend));
  Outcome outcome;
  TrainerCallbacks callbacks;
  callbacks.on_epoch = [&](const EpochRecord& record) { outcome.records.push_back(record); };
  outcome.result = trainer->run(callbacks);
  return outcome;
}

/// The last epoch of the right recipe, with which the faulty one is compared: how far a diverging
/// training gets depends on the last digits of every sum, and so on the processor.
EpochRecord healthy_epoch(int epochs) {
  return train(encoder(epochs), Recipe::kTern).records.back();
}

/// An exploding table is orders of magnitude longer than a healthy one.
constexpr double kExploded = 100.0;

TEST(ForumRecipe, BlowsUpAndIsWarnedOf) {
  const Outcome outcome = train(faulty_recipe(2), Recipe::kFaulty);
  ASSERT_EQ(outcome.records.size(), 2u);
  EXPECT_EQ(outcome.result.reason, StopReason::kEpochs);
  const EpochRecord& first = outcome.records.front();
  const EpochRecord& last = outcome.records.back();
  const EpochRecord healthy = healthy_epoch(2);
  for (const auto side : {&EpochRecord::users, &EpochRecord::items}) {
    EXPECT_GT((last.*side).mean_norm, kExploded * (healthy.*side).mean_norm);
    EXPECT_GT((last.*side).mean_norm, 10.0 * (first.*side).mean_norm);
    // All rows point the same few ways.
    EXPECT_LT((last.*side).effective_rank, (healthy.*side).effective_rank / 4.0);
  }
  EXPECT_LT(last.loss, kExploded * first.loss);
  EXPECT_THAT(last.collapse, Contains(HasSubstr("the mean norm of users is ")));
  EXPECT_THAT(last.collapse, Contains(HasSubstr("the effective rank of items is ")));
  // The usual causes are reported once, with the job's own figures. The first epoch may already be
  // above the largest norm.
  std::vector<std::string> all = first.collapse;
  all.insert(all.end(), last.collapse.begin(), last.collapse.end());
  EXPECT_THAT(all, Contains(HasSubstr("loss.l2 is 0)")).Times(1));
  EXPECT_THAT(all, Contains(HasSubstr("optimizer.learning_rate is 1e-05")).Times(1));
  EXPECT_THAT(all, Contains(HasSubstr("Usual causes")).Times(1));
}

TEST(ForumRecipe, IsStoppedWhereAskedFor) {
  Config config = faulty_recipe(5);
  config.monitor.on_collapse = CollapseAction::kStop;
  const Outcome outcome = train(config, Recipe::kFaulty);
  EXPECT_EQ(outcome.result.reason, StopReason::kCollapse);
  EXPECT_LT(outcome.result.epochs, 3);
  EXPECT_THAT(outcome.records.back().collapse, Contains(HasSubstr("Usual causes: a loss summed")));
}

TEST(ForumRecipe, PassesUnseenWhereTheMonitorIsOff) {
  Config config = faulty_recipe(1);
  config.monitor.on_collapse = CollapseAction::kIgnore;
  const Outcome outcome = train(config, Recipe::kFaulty);
  EXPECT_GT(outcome.records.back().items.mean_norm, kExploded * healthy_epoch(1).items.mean_norm);
  EXPECT_THAT(outcome.records.back().collapse, IsEmpty());
}

TEST(RightRecipe, StaysHealthyAndBeatsPopularity) {
  const Config config = encoder(4);
  const Outcome outcome = train(config, Recipe::kTern);
  for (const EpochRecord& record : outcome.records) {
    EXPECT_THAT(record.collapse, IsEmpty());
    for (const EmbeddingStatistics* side : {&record.users, &record.items}) {
      EXPECT_LT(side->mean_norm, 100.0);
      EXPECT_LT(side->mean_cosine, 0.5);
      EXPECT_GT(side->effective_rank, config.model.width / 4.0);
    }
    EXPECT_GT(record.user_gradient_norm, 0.0);
    EXPECT_LT(record.user_gradient_norm, 10.0);
  }
  const Interactions* const observed[] = {&debian().train};
  const Metrics popular = evaluate_rankings(popularity_rankings(debian().train, observed, 20), 20,
                                            debian().valid, config.evaluation);
  const std::optional<Metrics>& found = outcome.records.back().metrics;
  ASSERT_TRUE(found.has_value());
  EXPECT_GT(metric(*found, "recall@20"), 1.1 * metric(popular, "recall@20"));
  EXPECT_GT(metric(*found, "ndcg@20"), 1.1 * metric(popular, "ndcg@20"));
}

/// All rows of the users' table are equal: their mean cosine is 1.
void collapse_users(Job& job) {
  job.backend->fill(*job.trainer.model().parameters()[0].value, 0.1);
}

void heal_users(Job& job, const TensorFile& sound) {
  const std::vector<double> values = values_of(sound, "user_embedding");
  job.backend->upload(std::span<const double>(values), *job.trainer.model().parameters()[0].value);
}

/// A job whose training changes no bit.
Config idle_config(int epochs) {
  Config config = planted_config(ModelKind::kMatrixFactorization);
  config.epochs = epochs;
  config.evaluate_every = 1;
  config.optimizer.adam.learning_rate = 1e-300;
  return config;
}

/// Epochs 2, 3, 5 and 6 see a collapsed table, 1 and 4 a healthy one; a second trainer resumes after
/// epoch 5, between the two looks of the second collapse.
TEST(UsualCauses, AreNamedOnceThoughACollapseHealsAndReturns) {
  struct Schedule {
    int evaluate_every;
    int monitor_every;
  };
  for (const auto [evaluate_every, monitor_every] : {Schedule{1, 0}, {0, 1}, {1, 1}}) {
    Config config = idle_config(6);
    config.evaluate_every = evaluate_every;
    config.monitor.every = monitor_every;
    Job first(planted_dataset(), config);
    Job second(planted_dataset(), config);
    const TensorFile sound = first.trainer.last();
    std::vector<EpochRecord> records;
    const auto watch = [&](Job& job) {
      job.callbacks.on_epoch = [&](const EpochRecord& record) {
        records.push_back(record);
        record.epoch == 3 ? heal_users(job, sound) : collapse_users(job);
      };
    };
    watch(first);
    watch(second);
    first.callbacks.should_stop = [&] { return first.trainer.progress().epoch == 5; };
    first.run();
    second.trainer.restore(first.trainer.state());
    second.run();
    ASSERT_EQ(records.size(), 6u);
    for (const EpochRecord& record : records) {
      SCOPED_TRACE(record.epoch);
      if (record.epoch != 3 && record.epoch != 6) {
        EXPECT_THAT(record.collapse, IsEmpty());
        continue;
      }
      ASSERT_THAT(record.collapse, Contains(HasSubstr("the effective rank of users is 1.00")));
      EXPECT_EQ(record.collapse.size(), record.epoch == 3 ? 2u : 1u);
      EXPECT_EQ(record.collapse.back().starts_with("Usual causes"), record.epoch == 3);
    }
  }
}

TEST(CollapseMonitor, ComparesWithTheRankBeforeTheFirstStep) {
  Job job(planted_dataset(), idle_config(1));
  const double rank =
      job.backend->embedding_statistics(*job.trainer.model().parameters()[0].value).effective_rank;
  job.callbacks.on_step = [&](const StepProgress&) { collapse_users(job); };
  job.run();
  EXPECT_EQ(job.trainer.progress().user_watch.first_rank, rank);
  EXPECT_GT(rank, 4.0);
  EXPECT_EQ(job.trainer.progress().user_watch.first_norm, job.records[0].users.mean_norm);
  EXPECT_EQ(job.trainer.progress().item_watch.first_norm, job.records[0].items.mean_norm);
}

TEST(CollapseMonitor, StopsOnceAndForAll) {
  Config config = idle_config(9);
  config.monitor.on_collapse = CollapseAction::kStop;
  Job job(planted_dataset(), config);
  job.callbacks.on_step = [&](const StepProgress&) { collapse_users(job); };
  TrainingResult result = job.run();
  EXPECT_EQ(result.reason, StopReason::kCollapse);
  EXPECT_EQ(result.epochs, 2);
  EXPECT_EQ(job.run().reason, StopReason::kCollapse);
  EXPECT_EQ(job.records.size(), 2u);

  Job resumed(planted_dataset(), config);
  resumed.trainer.restore(job.trainer.state());
  result = resumed.run();
  EXPECT_EQ(result.reason, StopReason::kCollapse);
  EXPECT_EQ(result.epochs, 2);
  EXPECT_THAT(resumed.records, IsEmpty());

  config.monitor.on_collapse = CollapseAction::kWarn;
  Job warned(planted_dataset(), config);
  warned.trainer.restore(job.trainer.state());
  result = warned.run();
  EXPECT_EQ(result.reason, StopReason::kEpochs);
  EXPECT_EQ(result.epochs, 9);
  ASSERT_FALSE(warned.records.empty());
  EXPECT_THAT(warned.records.front().collapse, Contains(HasSubstr("the effective rank of users")));
}

TEST(CollapseMonitor, CountsAnInterruptedEvaluationOnce) {
  Job job(planted_dataset(), idle_config(3));
  job.callbacks.on_step = [&](const StepProgress&) { collapse_users(job); };
  const std::int64_t steps = job.trainer.progress().steps;
  int calls_after_last_step = 0;
  job.callbacks.should_stop = [&] {
    // The first call follows the step, the second one is within the evaluation.
    return job.trainer.progress().step == steps && ++calls_after_last_step == 2;
  };
  EXPECT_EQ(job.run().reason, StopReason::kRequested);
  EXPECT_THAT(job.records, IsEmpty());
  EXPECT_EQ(job.trainer.progress().user_watch.small_ranks, 0);
  job.callbacks.should_stop = nullptr;
  job.run();
  ASSERT_EQ(job.records.size(), 3u);
  EXPECT_THAT(job.records[0].collapse, IsEmpty());
  EXPECT_THAT(job.records[1].collapse, Not(IsEmpty()));
}

TEST(CollapseMonitor, ForgetsACheckOffTheSchedule) {
  Config config = idle_config(1);
  config.evaluate_every = 0;
  config.monitor.every = 0;
  Job job(planted_dataset(), config);
  job.callbacks.on_step = [&](const StepProgress&) { collapse_users(job); };
  job.run();
  EXPECT_GT(job.records[0].users.rows, 0);  // the last epoch was checked
  EXPECT_EQ(job.trainer.progress().user_watch.small_ranks, 0);
  EXPECT_FALSE(job.trainer.progress().user_watch.first_norm.has_value());
  EXPECT_FALSE(job.trainer.progress().collapsed);
}

TEST(UsualCauses, HaveTheFiguresOfTheJob) {
  const std::vector<Interaction> pairs{{0, 0}, {0, 1}, {1, 1}};
  const Interactions train = Interactions::from_pairs(5, 4, pairs);
  Config config;
  config.l2 = 0.125;
  config.optimizer.adam.learning_rate = 0.5;
  config.optimizer.sgd.learning_rate = 0.25;
  config.optimizer.kind = OptimizerKind::kAdam;
  EXPECT_THAT(usual_causes(config, train), HasSubstr("loss.l2 is 0.125)"));
  EXPECT_THAT(usual_causes(config, train), HasSubstr("optimizer.learning_rate is 0.5)"));
  // Users 2, 3, 4 and items 2, 3.
  EXPECT_THAT(usual_causes(config, train), HasSubstr("without interactions (5 of 9)"));
  config.optimizer.kind = OptimizerKind::kSgd;
  EXPECT_THAT(usual_causes(config, train), HasSubstr("optimizer.learning_rate is 0.25)"));
}

}  // namespace
}  // namespace tern::test
