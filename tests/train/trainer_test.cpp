#include "tern/trainer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tern/baselines.hpp"
#include "tern/error.hpp"
#include "tern/run.hpp"
#include "tests/train/job.hpp"

namespace tern::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

/// Metrics of a new model with these parameters, ranked without the items in `observed`.
Metrics metrics_of(Job& job, const TensorFile& parameters,
                   const std::vector<const Interactions*>& observed, const Interactions& held_out) {
  const Graph graph = job.backend->make_graph(job.data.train);
  std::vector<Graph> graphs;
  for (const Interactions* interactions : observed) {
    graphs.push_back(job.backend->make_graph(*interactions));
  }
  std::vector<const Graph*> masks;
  for (const Graph& mask : graphs) masks.push_back(&mask);
  const Triplets none;
  const auto model = make_model(*job.backend, graph, none, job.config.model);
  load_parameters(*job.backend, *model, parameters);
  model->embed();
  return evaluate(*job.backend, model->embeddings(Side::kUser), model->embeddings(Side::kItem),
                  masks, held_out, job.config.evaluation);
}

TEST(Trainer, LearnsWhatPopularityCannotTell) {
  for (const ModelKind kind : kModels) {
    SCOPED_TRACE(model_name(kind));
    Job job(planted_dataset_for(kind), planted_config(kind));
    const TrainingResult result = job.run();
    EXPECT_EQ(result.reason, StopReason::kEpochs);
    EXPECT_EQ(result.epochs, 20);
    ASSERT_EQ(job.records.size(), 20u);
    // Nothing is known at first; gcmc starts from columns of norm 1.
    if (kind != ModelKind::kGcMc) {
      EXPECT_NEAR(job.records.front().loss, std::log(2.0), 0.05);
    }
    EXPECT_LT(job.records.back().loss, 0.5 * job.records.front().loss);

    const Interactions* observed[] = {&job.data.train};
    const Metrics popular = evaluate_rankings(popularity_rankings(job.data.train, observed, 10), 10,
                                              job.data.valid, job.config.evaluation);
    EXPECT_GT(result.best_metric, 2.0 * metric(popular, "recall@10"));
    EXPECT_GT(result.best_metric, 0.45);  // a perfect oracle of the groups reaches about 0.65
  }
}

TEST(Trainer, DoesWhatItsPartsDoByHand) {
  Config config = planted_config();
  config.epochs = 2;
  config.batch_size = 77;           // a short last batch
  config.sampling.seed = Seed{99};  // the job's own seed counts
  Job job(planted_dataset(), config);
  job.run();

  const auto backend = make_reference_backend();
  const Graph graph = backend->make_graph(job.data.train);
  SamplingOptions sampling;
  sampling.seed = config.seed;
  Triplets triplets = backend->make_triplets(graph, sampling, config.batch_size);
  const auto model = make_model(*backend, graph, triplets, config.model);
  model->initialize(config.seed);
  std::vector<AdamState> states;
  for (const Parameter& parameter : model->parameters()) {
    const std::int64_t rows = parameter.value->rows();
    states.push_back({backend->allocate(rows, 8), backend->allocate(rows, 8)});
  }
  Counter steps = backend->make_counter();
  Matrix losses = backend->allocate(2, triplets.num_batches());
  for (std::uint32_t epoch = 1; epoch <= 2; ++epoch) {
    backend->sample(triplets, epoch);
    for (std::int64_t batch = 0; batch < triplets.num_batches(); ++batch) {
      const auto user = Side::kUser;
      const auto item = Side::kItem;
      model->forward();
      backend->bpr(triplets, model->embeddings(user), model->embeddings(item),
                   model->embedding_gradient(user), model->embedding_gradient(item), losses);
      model->backward();
      backend->l2_penalty(triplets, config.l2, model->penalized(user), model->penalized(item),
                          model->penalized_gradient(user), model->penalized_gradient(item), losses);
      backend->increment(steps);
      for (std::size_t i = 0; i < 2; ++i) {
        const Parameter& parameter = model->parameters()[i];
        backend->adam(config.optimizer.adam, steps, *parameter.gradient, *parameter.value,
                      states[i]);
      }
      backend->next_batch(triplets);
    }
    std::vector<double> values(static_cast<std::size_t>(losses.size()));
    backend->download(losses, std::span<double>(values));
    const auto count = static_cast<std::size_t>(losses.cols());
    double bpr = 0.0;
    double l2 = 0.0;
    for (std::size_t i = 0; i < count; ++i) {
      bpr += values[i] / static_cast<double>(count);
      l2 += values[count + i] / static_cast<double>(count);
    }
    EXPECT_NEAR(job.records[epoch - 1].ranking_loss, bpr, 1e-14);
    EXPECT_NEAR(job.records[epoch - 1].l2_loss, l2, 1e-14);
    EXPECT_NEAR(job.records[epoch - 1].loss, bpr + l2, 1e-14);
    EXPECT_GT(l2, 0.0);
  }
  const TensorFile last = job.trainer.last();
  for (const Parameter& parameter : model->parameters()) {
    std::vector<double> values(static_cast<std::size_t>(parameter.value->size()));
    backend->download(*parameter.value, std::span<double>(values));
    EXPECT_EQ(values_of(last, parameter.name), values) << parameter.name;
  }
}

TEST(Trainer, SameSeedSameBitsAnotherSeedOthers) {
  for (const ModelKind kind : kModels) {
    Config config = planted_config(kind);
    config.epochs = 3;
    Job first(planted_dataset_for(kind), config);
    Job second(planted_dataset_for(kind), config);
    config.seed = Seed{6};
    Job other(planted_dataset_for(kind), config);
    for (Job* job : {&first, &second, &other}) job->run();
    EXPECT_TRUE(same(first.trainer.last(), second.trainer.last()));
    EXPECT_FALSE(same(first.trainer.last(), other.trainer.last()));
  }
}

/// Plain descent of one step moves parameters by the rate times their gradient.
TEST(Trainer, ReportsTheNormOfTheLastGradient) {
  struct Case {
    ModelKind kind;
    std::int64_t batch_size;
  };
  // In one step, and in many small ones: rows outside of the last batch have old gradients.
  for (const auto [kind, batch_size] : {Case{ModelKind::kLightGcn, 1 << 20},
                                        {ModelKind::kMatrixFactorization, 1 << 20},
                                        {ModelKind::kLightGcn, 10},
                                        {ModelKind::kMatrixFactorization, 10}}) {
    SCOPED_TRACE(testing::Message() << model_name(kind) << ", batches of " << batch_size);
    Config config = planted_config(kind);
    config.model.layers = 3;
    config.optimizer.kind = OptimizerKind::kSgd;
    config.optimizer.sgd.learning_rate = 0.5;
    config.epochs = 1;
    config.batch_size = batch_size;
    Job job(planted_dataset(), config);
    TensorFile before = job.trainer.last();
    job.callbacks.on_step = [&](const StepProgress& progress) {
      if (progress.step == progress.steps - 1) before = job.trainer.last();
    };
    job.run();
    const TensorFile after = job.trainer.last();
    ASSERT_EQ(job.records.size(), 1u);
    for (const char* name : {"user_embedding", "item_embedding"}) {
      const std::vector<double> from = values_of(before, name);
      const std::vector<double> to = values_of(after, name);
      double square = 0.0;
      for (std::size_t i = 0; i < from.size(); ++i) square += std::pow((to[i] - from[i]) / 0.5, 2);
      const EpochRecord& record = job.records.front();
      const double found = name[0] == 'u' ? record.user_gradient_norm : record.item_gradient_norm;
      EXPECT_NEAR(found, std::sqrt(square), 1e-6 * std::sqrt(square)) << name;
    }
  }
}

TEST(Trainer, EvaluatesEveryFewEpochsAndTheLast) {
  Config config = planted_config();
  config.epochs = 7;
  config.evaluate_every = 3;
  config.monitor.every = 0;  // no checks between evaluations
  Job job(planted_dataset(), config);
  job.run();
  for (const EpochRecord& record : job.records) {
    const bool due = record.epoch == 3 || record.epoch == 6 || record.epoch == 7;
    EXPECT_EQ(record.metrics.has_value(), due) << record.epoch;
    EXPECT_EQ(record.users.rows, due ? 120 : 0) << record.epoch;
    EXPECT_EQ(record.items.rows, due ? 80 : 0) << record.epoch;
    EXPECT_GT(record.triplets_per_second, 0.0);
  }
  config.evaluate_every = 0;
  Job only_last(planted_dataset(), config);
  only_last.run();
  for (const EpochRecord& record : only_last.records) {
    EXPECT_EQ(record.metrics.has_value(), record.epoch == 7);
  }
}

TEST(Trainer, KeepsTheBestParameters) {
  Config config = planted_config();
  config.epochs = 12;
  config.evaluate_every = 1;
  config.optimizer.adam.learning_rate = 0.5;  // so rough that the metric goes up and down
  Job job(planted_dataset(), config);
  TensorFile at_best;
  double best = -1.0;
  int best_epoch = 0;
  job.callbacks.on_epoch = [&](const EpochRecord& record) {
    job.records.push_back(record);
    const double value = metric(*record.metrics, "recall@10");
    EXPECT_EQ(record.best, value > best) << record.epoch;
    if (value <= best) return;
    best = value;
    best_epoch = record.epoch;
    at_best = job.trainer.last();
    EXPECT_TRUE(same(job.trainer.best(), at_best));  // up to date when the epoch is reported
  };
  const TrainingResult result = job.run();
  ASSERT_LT(best_epoch, 12);  // else the last parameters would do as well
  EXPECT_EQ(result.best_epoch, best_epoch);
  EXPECT_EQ(result.best_metric, best);
  EXPECT_TRUE(same(job.trainer.best(), at_best));
  EXPECT_FALSE(same(job.trainer.best(), job.trainer.last()));
  // Restored, they give the metric again.
  const Metrics again = metrics_of(job, job.trainer.best(), {&job.data.train}, job.data.valid);
  EXPECT_EQ(metric(again, "recall@10"), best);
}

TEST(Trainer, SelectsTheLastEpochOffTheScheduleToo) {
  Config config = planted_config();
  config.epochs = 4;
  config.evaluate_every = 3;
  Job job(planted_dataset(), config);
  const TrainingResult result = job.run();
  ASSERT_EQ(result.best_epoch, 4);  // it still gets better every epoch
  // A longer training would not have evaluated epoch 4: it continues with epoch 3 as the best.
  EXPECT_EQ(job.trainer.progress().selected_epoch, 4);
  EXPECT_EQ(job.trainer.progress().best_epoch, 3);
  EXPECT_EQ(job.trainer.progress().best_metric, metric(*job.records[2].metrics, "recall@10"));
}

TEST(Trainer, StopsWhenPatienceIsOver) {
  Config config = planted_config();
  config.epochs = 50;
  config.evaluate_every = 2;
  config.patience = 3;
  config.optimizer.adam.learning_rate = 1e-300;  // changes no bit: never better than at first
  Job job(planted_dataset(), config);
  const TrainingResult result = job.run();
  EXPECT_EQ(result.reason, StopReason::kPatience);
  EXPECT_EQ(result.epochs, 2 * (1 + 3));
  EXPECT_EQ(result.best_epoch, 2);
}

TEST(Trainer, RanksForValidationBesidesTrainingItems) {
  Job job;
  job.run();
  const Metrics expected = metrics_of(job, job.trainer.last(), {&job.data.train}, job.data.valid);
  EXPECT_EQ(*job.records.back().metrics, expected);
  EXPECT_TRUE(job.notes.empty() || job.notes.size() == 1);  // the user without interactions
}

TEST(Trainer, RanksForTestBesidesTrainingAndValidationItems) {
  Config config = planted_config();
  config.select_on = SelectionSplit::kTest;
  Job job(planted_dataset(), config);
  job.run();
  EXPECT_EQ(*job.records.back().metrics,
            metrics_of(job, job.trainer.last(), {&job.data.train, &job.data.valid}, job.data.test));
  EXPECT_NE(*job.records.back().metrics,
            metrics_of(job, job.trainer.last(), {&job.data.train}, job.data.test));
  EXPECT_THAT(job.notes, ::testing::Contains(HasSubstr("selected on the test split")));
}

TEST(Trainer, WithoutAValidationSplitTheLastParametersCount) {
  Dataset data = planted_dataset();
  data.valid = Interactions::from_pairs(120, 80, {});
  Config config = planted_config();
  config.epochs = 4;
  config.evaluate_every = 1;
  config.patience = 1;
  Job job(std::move(data), config);
  const TrainingResult result = job.run();
  EXPECT_EQ(result.reason, StopReason::kEpochs);
  EXPECT_EQ(result.epochs, 4);
  EXPECT_EQ(result.best_epoch, 4);
  EXPECT_TRUE(same(job.trainer.best(), job.trainer.last()));
  EXPECT_THAT(job.notes, ::testing::Contains(HasSubstr("no validation split")));
  for (const EpochRecord& record : job.records) {
    EXPECT_FALSE(record.metrics.has_value());
    EXPECT_FALSE(record.best);
    EXPECT_GT(record.users.mean_norm, 0.0);  // still checked
  }
}

TEST(Trainer, NotesWhoIsLeftOutOfSampling) {
  std::vector<Interaction> pairs{{0, 0}, {0, 1}, {0, 2}, {1, 1}, {2, 0}};
  Dataset data;
  data.train = Interactions::from_pairs(5, 3, pairs);
  data.valid = data.test = Interactions::from_pairs(5, 3, {});
  Config config = planted_config();
  config.epochs = 1;
  Job job(std::move(data), config);
  job.run();
  EXPECT_THAT(job.notes, ::testing::Contains(HasSubstr("1 of 5 users have every item")));
  EXPECT_THAT(job.notes, ::testing::Contains(HasSubstr("2 of 5 users have no training")));
}

TEST(Trainer, MatrixFactorizationLeavesRowsWithoutGradientsAlone) {
  Config config = planted_config(ModelKind::kMatrixFactorization);
  config.epochs = 2;
  Job job(planted_dataset(), config);
  const std::vector<double> before = values_of(job.trainer.last(), "user_embedding");
  job.run();
  const std::vector<double> after = values_of(job.trainer.last(), "user_embedding");
  const std::size_t last_user = 119 * 8;  // it has no interactions
  EXPECT_TRUE(std::equal(before.begin() + last_user, before.end(), after.begin() + last_user));
  EXPECT_NE(std::vector<double>(before.begin(), before.begin() + 8),
            std::vector<double>(after.begin(), after.begin() + 8));
}

TEST(Trainer, LearnsWithSgdToo) {
  for (const double momentum : {0.0, 0.9}) {
    Config config = planted_config(ModelKind::kMatrixFactorization);
    config.optimizer.kind = OptimizerKind::kSgd;
    config.optimizer.sgd.learning_rate = momentum == 0.0 ? 10.0 : 1.0;
    config.optimizer.sgd.momentum = momentum;
    Job job(planted_dataset(), config);
    job.run();
    EXPECT_LT(job.records.back().loss, 0.6 * job.records.front().loss) << momentum;
  }
}

TEST(Trainer, RefusesConfigurationsThatCannotWork) {
  const auto refuses = [](auto change, const char* says) {
    Config config = planted_config();
    change(config);
    try {
      Job(planted_dataset(), config);
      ADD_FAILURE() << "accepted, expected: " << says;
    } catch (const ConfigError& error) {
      EXPECT_THAT(error.what(), StartsWith(says));
    }
  };
  refuses([](Config& c) { c.epochs = -1; }, "train.epochs: found the integer -1, expected");
  refuses([](Config& c) { c.batch_size = 0; }, "train.batch_size: found the integer 0, expected");
  refuses([](Config& c) { c.evaluate_every = -1; }, "train.evaluate_every: found");
  refuses([](Config& c) { c.patience = -1; }, "train.patience: found");
  refuses([](Config& c) { c.l2 = std::nan(""); }, "loss.l2: found the number nan, expected");
  refuses([](Config& c) { c.l2 = -1e-4; }, "loss.l2: found the number -1e-4, expected");
  refuses([](Config& c) { c.metric = "recall@11"; }, "train.metric: found");
  refuses(
      [](Config& c) {
        c.evaluation.ks = {10, 81};
      },
      "evaluation.ks: found 81, but the data has");
  refuses([](Config& c) { c.evaluation.ks = {0, 10}; }, "evaluation.ks: found the integer 0");
  refuses([](Config& c) { c.model.width = 0; }, "model.width: found");
  refuses([](Config& c) { c.optimizer.adam.beta1 = 1.0; }, "optimizer.beta1: found");
  refuses([](Config& c) { c.sampling.negatives_per_positive = 0; },
          "sampling.negatives_per_positive: found");
}

TEST(Trainer, NoEpochsLeaveTheInitialParameters) {
  Config config = planted_config();
  config.epochs = 0;
  Job job(planted_dataset(), config);
  const TensorFile start = job.trainer.last();
  const TrainingResult result = job.run();
  EXPECT_EQ(result.epochs, 0);
  EXPECT_TRUE(same(job.trainer.best(), start));
}

}  // namespace
}  // namespace tern::test
