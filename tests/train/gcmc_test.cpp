// Training jobs of the GC-MC encoder: features, normalisation and dropout.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "host/data/cold_items.hpp"
#include "host/loss/bpr_loss.hpp"
#include "host/train/optimizer.hpp"
#include "host/train/parameters.hpp"
#include "tern/error.hpp"
#include "tern/run.hpp"
#include "tests/train/job.hpp"

namespace tern::test {
namespace {

Config gcmc_config(InputKind inputs = InputKind::kBoth) {
  Config config = planted_config(ModelKind::kGcMc);
  config.model.inputs = inputs;
  return config;
}

/// Final embeddings of a side, by a new model with the parameters of a checkpoint.
std::vector<double> embeddings_of(Job& job, const TensorFile& checkpoint, Side side) {
  const Graph graph = job.backend->make_graph(job.data.train);
  const Triplets none;
  const auto model = make_model(*job.backend, graph, none, job.config.model,
                                features_for(job.data, job.config.model).view());
  load_parameters(*job.backend, *model, checkpoint);
  model->embed();
  std::vector<double> values(static_cast<std::size_t>(model->embeddings(side).size()));
  job.backend->download(model->embeddings(side), std::span<double>(values));
  return values;
}

TEST(GcMcJob, DoesWhatItsPartsDoByHand) {
  Config config = gcmc_config();
  config.epochs = 2;
  config.batch_size = 77;  // a short last batch
  config.l2 = 0.01;
  Job job(planted_dataset_for(ModelKind::kGcMc), config);
  job.run();

  const auto backend = make_reference_backend();
  const Graph graph = backend->make_graph(job.data.train);
  SamplingOptions sampling;
  sampling.seed = config.seed;
  Triplets triplets = backend->make_triplets(graph, sampling, config.batch_size);
  const EncodedDataset features = encode_features(job.data);
  const auto model = make_model(*backend, graph, triplets, config.model, features.view());
  model->initialize(config.seed);
  Optimizer optimizer(*backend, model->parameters(), config.optimizer);
  Matrix losses = backend->allocate(2, triplets.num_batches());
  const auto user = Side::kUser;
  const auto item = Side::kItem;
  for (std::uint32_t epoch = 1; epoch <= 2; ++epoch) {
    backend->sample(triplets, epoch);
    for (std::int64_t batch = 0; batch < triplets.num_batches(); ++batch) {
      model->forward();
      backend->bpr(triplets, model->embeddings(user), model->embeddings(item),
                   model->embedding_gradient(user), model->embedding_gradient(item), losses);
      // The penalty is on the final embeddings, before backward(): it bounds their norms.
      backend->l2_penalty(triplets, config.l2, model->embeddings(user), model->embeddings(item),
                          model->embedding_gradient(user), model->embedding_gradient(item), losses);
      model->backward();
      optimizer.step();
      backend->next_batch(triplets);
    }
    // Checks of the embeddings between epochs change nothing.
    model->embed();
  }
  EXPECT_TRUE(same(job.trainer.last(), snapshot(*backend, *model)));
  EXPECT_GT(job.records.back().l2_loss, 0.0);
}

TEST(GcMcJob, KeepsTheBestParametersWithTheirRunningStatistics) {
  Config config = gcmc_config();
  config.epochs = 8;
  config.evaluate_every = 1;
  config.optimizer.adam.learning_rate = 0.3;  // so rough that the metric goes up and down
  Job job(planted_dataset_for(ModelKind::kGcMc), config);
  const TrainingResult result = job.run();
  ASSERT_LT(result.best_epoch, 8);
  EXPECT_FALSE(same(job.trainer.best(), job.trainer.last()));
  // A new model from the checkpoint ranks as the old one did.
  const Graph graph = job.backend->make_graph(job.data.train);
  const Triplets none;
  const auto model = make_model(*job.backend, graph, none, config.model,
                                features_for(job.data, config.model).view());
  load_parameters(*job.backend, *model, job.trainer.best());
  model->embed();
  const Graph* const observed[] = {&graph};
  const Metrics again =
      evaluate(*job.backend, model->embeddings(Side::kUser), model->embeddings(Side::kItem),
               observed, job.data.valid, config.evaluation);
  EXPECT_EQ(metric(again, "recall@10"), result.best_metric);
}

TEST(GcMcJob, StopsWhenPatienceIsOver) {
  Config config = gcmc_config();
  config.epochs = 50;
  config.evaluate_every = 1;
  config.patience = 3;
  Job job(planted_dataset_for(ModelKind::kGcMc), config);
  const TrainingResult result = job.run();
  EXPECT_EQ(result.reason, StopReason::kPatience);
  EXPECT_EQ(result.epochs, result.best_epoch + 3);
  EXPECT_LT(result.epochs, 50);
}

TEST(GcMcJob, PlacesItemsThatNobodyHasTouchedByTheirFeatures) {
  // Ten items lose every training interaction; users' own interactions with them are the test.
  Dataset data = planted_dataset_for(ModelKind::kGcMc);
  std::vector<Interaction> train;
  std::vector<Interaction> test;
  for (NodeId user = 0; user < data.train.num_users(); ++user) {
    for (const NodeId item : data.train.row(user)) {
      (item < 70 ? train : test).push_back({user, item});
    }
  }
  data.train = Interactions::from_pairs(120, 80, train);
  data.test = Interactions::from_pairs(120, 80, test);
  data.valid = Interactions::from_pairs(120, 80, {});
  const std::vector<NodeId> cold = cold_items(data.train);
  ASSERT_EQ(cold.size(), 10u);
  const Interactions held_out = restrict_items(data.test, cold);
  const auto hits = [&](InputKind inputs) {
    Config config = gcmc_config(inputs);
    config.model.message_dropout = 0.3;
    config.epochs = 15;
    Job job(data, config);
    job.run();
    const std::vector<double> users = embeddings_of(job, job.trainer.last(), Side::kUser);
    const std::vector<double> items = embeddings_of(job, job.trainer.last(), Side::kItem);
    // For each user with such items: how often one of them ranks before another cold item.
    double before = 0.0;
    double all = 0.0;
    for (NodeId user = 0; user < 120; ++user) {
      const auto score = [&](NodeId item) {
        double sum = 0.0;
        for (int d = 0; d < 8; ++d) sum += users[user * 8 + d] * items[cold[item] * 8 + d];
        return sum;
      };
      const auto own = held_out.row(user);
      for (const NodeId item : own) {
        for (NodeId other = 0; other < 10; ++other) {
          if (std::binary_search(own.begin(), own.end(), other)) continue;
          before += score(item) > score(other) ? 1.0 : 0.0;
          all += 1.0;
        }
      }
    }
    return before / all;
  };
  // 15 % of the interactions and an eighth of the features are strays.
  EXPECT_GT(hits(InputKind::kFeatures), 0.75);
  EXPECT_LT(hits(InputKind::kIds), 0.65);
}

TEST(GcMcJob, ReadsNoFeaturesWhereIdsAreAskedFor) {
  Config config = gcmc_config(InputKind::kIds);
  config.epochs = 2;
  Job with(planted_dataset_for(ModelKind::kGcMc), config);
  Job without(planted_dataset(), config);
  with.run();
  without.run();
  EXPECT_TRUE(same(with.trainer.last(), without.trainer.last()));
}

TEST(GcMcJob, RefusesFeaturesThatAreNotThere) {
  EXPECT_THROW(Job(planted_dataset(), gcmc_config()), ConfigError);
  Dataset data = planted_dataset_for(ModelKind::kGcMc);
  data.user_features.reset();
  EXPECT_THROW(Job(data, gcmc_config(InputKind::kFeatures)), ConfigError);
  Config config = gcmc_config(InputKind::kAuto);
  config.epochs = 1;
  Job job(data, config);  // ids for users, features for items
  job.run();
  EXPECT_TRUE(job.trainer.last().tensors.contains("user_embedding"));
  EXPECT_FALSE(job.trainer.last().tensors.contains("item_embedding"));
}

}  // namespace
}  // namespace tern::test
