// Training by several ranks, which are threads here, beside training by one: losses, parameters, metrics,
// states and the bytes that a step exchanges.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "host/distributed/column_backend.hpp"
#include "host/loss/bpr_loss.hpp"
#include "tern/device.hpp"
#include "tern/error.hpp"
#include "tern/trainer.hpp"
#include "tests/distributed/rank_steps.hpp"

namespace tern::test {
namespace {

using distributed::ColumnBackend;
using distributed::columns_of;
using distributed::Communicator;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;

constexpr ModelKind kTables[] = {ModelKind::kLightGcn, ModelKind::kMatrixFactorization};

TEST(Columns, AreSharedOutInWholeGroups) {
  for (const std::int64_t width : {1, 7, 8, 17, 40, 64, 100}) {
    for (int ranks = 1; ranks <= distributed::max_ranks(width); ++ranks) {
      std::int64_t end = 0;
      for (int rank = 0; rank < ranks; ++rank) {
        const distributed::ColumnRange range = columns_of(width, rank, ranks);
        EXPECT_EQ(range.begin, end);
        EXPECT_GT(range.size(), 0);
        EXPECT_EQ(range.begin % distributed::kColumnGroup, 0);
        end = range.end;
      }
      EXPECT_EQ(end, width);
    }
  }
  EXPECT_EQ(columns_of(40, 0, 3).size(), 8);
  EXPECT_EQ(columns_of(40, 1, 3).size(), 16);
}

TEST(ColumnBackend, FirstStepsAreThoseOfOneRank) {
  const Dataset data = planted_dataset();
  for (const ModelKind kind : kTables) {
    const Config config = wide_config(kind);
    const AfterSteps expected = run_steps(*make_cpu_backend(1), data, config, 50);
    for (const int ranks : {1, 2, 3, 5}) {
      for (const AfterSteps& actual : run_steps_by_ranks(ranks, data, config, 50)) {
        ASSERT_EQ(actual.losses.size(), expected.losses.size());
        for (std::size_t i = 0; i < expected.losses.size(); ++i) {
          ASSERT_NEAR(actual.losses[i], expected.losses[i], 1e-6) << ranks << " ranks, loss " << i;
        }
        for (int side = 0; side < 2; ++side) {
          ASSERT_EQ(actual.parameters[side].size(), expected.parameters[side].size());
          for (std::size_t i = 0; i < expected.parameters[side].size(); ++i) {
            // A step of Adam divides by the gradient's own size: near 0 its rounding counts.
            ASSERT_NEAR(actual.parameters[side][i], expected.parameters[side][i], 1e-3)
                << ranks << " ranks, side " << side << ", element " << i;
          }
        }
      }
    }
  }
}

TEST(ColumnBackend, EqualRunsGiveEqualBitsOnEveryRank) {
  const Dataset data = planted_dataset();
  for (const ModelKind kind : kTables) {
    const Config config = wide_config(kind);
    const auto first = run_steps_by_ranks(3, data, config, 20);
    const auto second = run_steps_by_ranks(3, data, config, 20, 2);
    for (std::size_t rank = 0; rank < first.size(); ++rank) {
      for (const AfterSteps* other : {&first[rank], &second[rank]}) {
        EXPECT_EQ(other->losses, first[0].losses);
        for (int side = 0; side < 2; ++side) {
          EXPECT_EQ(other->parameters[side], first[0].parameters[side]);
        }
      }
    }
  }
}

TEST(ColumnBackend, AStepExchangesTheSumsOfItsBatchAlone) {
  constexpr int kRanks = 4;
  constexpr std::int64_t kBatch = 256;
  const Dataset data = planted_dataset();
  for (const ModelKind kind : kTables) {
    for (const double l2 : {0.0, 0.01}) {
      const auto failures = run_ranks(kRanks, [&](Communicator& communicator) {
        ColumnBackend columns(communicator, 1);
        Backend& backend = columns;
        const Graph graph = backend.make_graph(data.train);
        Triplets triplets = backend.make_triplets(graph, {}, kBatch);
        const auto model = make_model(backend, graph, triplets, wide_config(kind, 64).model);
        model->initialize(Seed{1});
        BprLoss loss(backend, l2);
        Matrix losses = backend.allocate(2, triplets.num_batches(), {.replicated = true});
        backend.sample(triplets, 1);
        model->forward();
        Batch batch(backend, triplets);
        const std::int64_t before = communicator.traffic().sent;
        loss.backward(*model, batch, losses);
        // 8 bytes a score, summed in parts; 8 bytes for the norm of the penalty, gathered whole.
        const std::int64_t scores = 2 * 8 * kBatch * (kRanks - 1) / kRanks;
        EXPECT_EQ(communicator.traffic().sent - before, scores + (l2 > 0 ? 8 * (kRanks - 1) : 0));
      });
      EXPECT_THAT(failures, Each(""));
    }
  }
}

/// What a training is seen to do: its records, its best parameters and its state.
struct Training {
  std::vector<EpochRecord> records;
  TensorFile best;
  TrainingState state;
};

Training train(Backend& backend, const Dataset& data, const Config& config,
               const TrainingState* from = nullptr) {
  Training done;
  Trainer trainer(backend, data, config);
  trainer.rehearse();
  if (from != nullptr) trainer.restore(*from);
  TrainerCallbacks callbacks;
  callbacks.on_epoch = [&](const EpochRecord& record) { done.records.push_back(record); };
  trainer.run(callbacks);
  done.best = trainer.best();
  done.state = trainer.state();
  return done;
}

std::vector<Training> train_by_ranks(int ranks, const Dataset& data, const Config& config,
                                     const TrainingState* from = nullptr) {
  std::vector<Training> all(static_cast<std::size_t>(ranks));
  const auto failures = run_ranks(ranks, [&](Communicator& communicator) {
    ColumnBackend backend(communicator, 1);
    all[static_cast<std::size_t>(communicator.rank())] = train(backend, data, config, from);
  });
  EXPECT_THAT(failures, Each(""));
  return all;
}

TEST(ColumnBackend, ATrainerSeesWholeTables) {
  const Dataset data = planted_dataset();
  for (const ModelKind kind : kTables) {
    for (const ScoreKind score : {ScoreKind::kDot, ScoreKind::kCosine}) {
      Config config = wide_config(kind, 24);
      config.evaluation.score = score;
      const auto backend = make_cpu_backend(1);
      const Training expected = train(*backend, data, config);
      for (const Training& actual : train_by_ranks(3, data, config)) {
        ASSERT_EQ(actual.records.size(), expected.records.size());
        for (std::size_t i = 0; i < expected.records.size(); ++i) {
          const EpochRecord& one = actual.records[i];
          const EpochRecord& other = expected.records[i];
          EXPECT_NEAR(one.loss, other.loss, 1e-4);
          EXPECT_NEAR(one.users.mean_norm, other.users.mean_norm, 1e-3);
          EXPECT_NEAR(one.items.effective_rank, other.items.effective_rank, 1e-2);
          EXPECT_NEAR(one.user_gradient_norm, other.user_gradient_norm, 1e-3);
          ASSERT_EQ(one.metrics.has_value(), other.metrics.has_value());
          if (!one.metrics) continue;
          // A place in a list may change; many may not.
          EXPECT_NEAR(metric(*one.metrics, "recall@10"), metric(*other.metrics, "recall@10"), 0.02);
        }
        EXPECT_EQ(actual.state.tensors.size(), expected.state.tensors.size());
        for (const auto& [name, tensor] : expected.state.tensors) {
          EXPECT_EQ(actual.state.tensors.at(name).shape, tensor.shape) << name;
        }
        EXPECT_EQ(actual.best.tensors.size(), expected.best.tensors.size());
      }
    }
  }
}

TEST(ColumnBackend, AResumeWithTheSameRanksGivesTheBitsOfOneTraining) {
  const Dataset data = planted_dataset();
  for (const ModelKind kind : kTables) {
    Config config = wide_config(kind, 24);
    const Training whole = train_by_ranks(3, data, config)[0];
    config.epochs = 4;
    const TrainingState half = train_by_ranks(3, data, config)[0].state;
    config.epochs = 6;
    for (const Training& resumed : train_by_ranks(3, data, config, &half)) {
      EXPECT_TRUE(same(resumed.state, whole.state));
      EXPECT_EQ(resumed.state.progress.best_metric, whole.state.progress.best_metric);
    }
  }
}

/// The numbers of ranks before and after a resume: the state is whole.
TEST(ColumnBackend, AStateResumesUnderAnyNumberOfRanks) {
  const Dataset data = planted_dataset();
  Config config = wide_config(ModelKind::kMatrixFactorization, 24);
  const auto backend = make_cpu_backend(1);
  const Training whole = train(*backend, data, config);
  config.epochs = 4;
  const TrainingState half = train_by_ranks(3, data, config)[0].state;
  // No epoch is left: what was restored is saved again.
  for (const int ranks : {1, 2, 3}) {
    for (const Training& restored : train_by_ranks(ranks, data, config, &half)) {
      EXPECT_TRUE(same(restored.state, half));
    }
  }
  config.epochs = 6;
  for (const int ranks : {1, 2}) {
    for (const Training& resumed : train_by_ranks(ranks, data, config, &half)) {
      EXPECT_NEAR(resumed.records.back().loss, whole.records.back().loss, 1e-3);
    }
  }
}

/// The last column alone is not finite: every rank must see it, in the same step.
TEST(ColumnBackend, EveryRankFindsAFaultOfOne) {
  const Dataset data = planted_dataset();
  for (const ModelKind kind : kTables) {
    Config config = wide_config(kind, 24);
    config.l2 = 0.0;
    config.epochs = 2;
    const TrainingState start = [&] {
      const auto backend = make_cpu_backend(1);
      Trainer trainer(*backend, data, config);
      TrainingState state = trainer.state();
      auto& moments = std::get<std::vector<float>>(
          state.tensors.at("optimizer.first_moment.item_embedding").values);
      moments.back() = 3e38F;  // a step of the last item's last column that overflows
      auto& scale = std::get<std::vector<float>>(
          state.tensors.at("optimizer.second_moment.item_embedding").values);
      scale.back() = 0.0F;
      return state;
    }();
    std::vector<std::string> found(3);
    const auto failures = run_ranks(3, [&](Communicator& communicator) {
      ColumnBackend backend(communicator, 1);
      Trainer trainer(backend, data, config);
      trainer.restore(start);
      try {
        trainer.run();
      } catch (const NumericalFault& fault) {
        found[static_cast<std::size_t>(communicator.rank())] = fault.what();
      }
      communicator.barrier();
    });
    EXPECT_THAT(failures, Each(""));
    for (const std::string& fault : found) {
      EXPECT_THAT(fault, AllOf(HasSubstr("training diverged in epoch 1: at step 1 "),
                               HasSubstr("item_embedding")));
    }
    EXPECT_THAT(found, Each(found[0]));
  }
}

/// An epoch of as many batches as the tables have columns: its losses are no table.
TEST(ColumnBackend, LossesOfAsManyBatchesAsColumnsAreWhole) {
  const Dataset data = planted_dataset();
  Config config = wide_config(ModelKind::kMatrixFactorization, 16);
  config.batch_size = (data.train.size() - 1) / 16 + 1;
  const AfterSteps expected = run_steps(*make_cpu_backend(1), data, config, 16);
  ASSERT_EQ(expected.losses.size(), 2U * 16);
  for (const AfterSteps& actual : run_steps_by_ranks(2, data, config, 16)) {
    for (std::size_t i = 0; i < expected.losses.size(); ++i) {
      ASSERT_NEAR(actual.losses[i], expected.losses[i], 1e-6) << i;
    }
  }
}

TEST(ColumnBackend, RefusesWhatItCannotShare) {
  const auto failures = run_ranks(3, [&](Communicator& communicator) {
    ColumnBackend backend(communicator, 1);
    EXPECT_THROW(backend.allocate(9, 16, {}), ConfigError);
    EXPECT_EQ(backend.allocate(9, 24, {}).cols(), 24);
    EXPECT_EQ(backend.allocate(9, 1, {.replicated = true}).cols(), 1);
    communicator.barrier();
  });
  EXPECT_THAT(failures, Each(""));
}

}  // namespace
}  // namespace tern::test
