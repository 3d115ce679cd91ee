// A rehearsal allocates everything that a job keeps, and leaves no trace in the training after it.

#include <gtest/gtest.h>

#include "host/reference/backend.hpp"
#include "tern/error.hpp"
#include "tests/support/backends.hpp"
#include "tests/train/job.hpp"

namespace tern::test {
namespace {

/// The results of a training, without the time that it took.
struct Trace {
  TrainingState state;
  TensorFile best;
  std::vector<double> losses;
};

void expect_same(const Trace& a, const Trace& b) {
  EXPECT_TRUE(same(a.state, b.state));
  EXPECT_TRUE(same(a.best, b.best));
  EXPECT_EQ(a.losses, b.losses);
  EXPECT_EQ(a.state.counters, b.state.counters);
  TrainingProgress progress = b.state.progress;
  progress.seconds = a.state.progress.seconds;
  EXPECT_EQ(a.state.progress, progress);
}

Trace train(Trainer& trainer) {
  Trace trace;
  TrainerCallbacks callbacks;
  callbacks.on_epoch = [&](const EpochRecord& record) { trace.losses.push_back(record.loss); };
  trainer.run(callbacks);
  trace.state = trainer.state();
  trace.best = trainer.best();
  return trace;
}

Config short_config(ModelKind kind) {
  Config config = planted_config(kind);
  config.epochs = 3;
  config.evaluate_every = 2;
  return config;
}

class Rehearsal : public testing::TestWithParam<ModelKind> {};

TEST_P(Rehearsal, LeavesTheBitsOfTheTrainingAsTheyAre) {
  const Dataset data = planted_dataset_for(GetParam());
  for (const OptimizerKind optimizer : {OptimizerKind::kAdam, OptimizerKind::kSgd}) {
    Config config = short_config(GetParam());
    config.optimizer.kind = optimizer;
    config.optimizer.sgd.momentum = 0.9;
    for (const BackendCase& backend_case : backends_of_batches_under_test()) {
      const bool emulated = backend_case.name.starts_with("simt");
      if (emulated && (backend_case.name != "simt" || optimizer != OptimizerKind::kAdam)) continue;
      if (!backend_case.repeats) continue;  // the two trainings would differ anyway
      if (emulated) config.epochs = 1;      // emulated kernels are slow
      SCOPED_TRACE(backend_case.name);
      const auto backend = backend_case.make();
      Trainer plain(*backend, data, config);
      Trainer rehearsed(*backend, data, config);
      rehearsed.rehearse();
      expect_same(train(plain), train(rehearsed));
      config.epochs = 3;
    }
  }
}

TEST_P(Rehearsal, LeavesARestoredTrainingAsItIs) {
  const Dataset data = planted_dataset_for(GetParam());
  const Config config = short_config(GetParam());
  const auto backend = make_cpu_backend(2);
  Trainer first(*backend, data, config);
  int steps = 0;
  TrainerCallbacks callbacks;
  callbacks.should_stop = [&] { return ++steps == 13; };  // within the second epoch
  first.run(callbacks);
  const TrainingState state = first.state();
  ASSERT_EQ(first.progress().step, 4);
  Trainer plain(*backend, data, config);
  plain.restore(state);
  Trainer rehearsed(*backend, data, config);
  rehearsed.rehearse();
  rehearsed.restore(state);
  expect_same(train(plain), train(rehearsed));
}

INSTANTIATE_TEST_SUITE_P(Models, Rehearsal, testing::ValuesIn(kModels),
                         [](const auto& info) { return std::string(model_name(info.param)); });

/// Counts the work of a rehearsal, and can refuse the memory of one op.
class CountingBackend : public reference::ReferenceBackend {
 public:
  void sample(Triplets& triplets, std::uint32_t epoch) override {
    ++samples;
    ReferenceBackend::sample(triplets, epoch);
  }
  void next_batch(Triplets& triplets) override {
    ++steps;
    ReferenceBackend::next_batch(triplets);
  }
  void score_topk(const Matrix& users, const Matrix& items, std::span<const NodeId> queries,
                  std::span<const Graph* const> observed, std::int64_t k, TopItems& top) override {
    if (refuses_ranking) throw MemoryError("out of memory");
    ranked += static_cast<std::int64_t>(queries.size());
    ReferenceBackend::score_topk(users, items, queries, observed, k, top);
  }
  EmbeddingStatistics embedding_statistics(const Matrix& embeddings,
                                           StatisticsFigures figures) override {
    ++statistics;
    return ReferenceBackend::embedding_statistics(embeddings, figures);
  }

  bool refuses_ranking = false;
  int samples = 0;
  int steps = 0;
  int statistics = 0;
  std::int64_t ranked = 0;
};

TEST(RehearsalWork, IsOneStepAndOneBlockOfRanking) {
  const Dataset data = planted_dataset(6000, 40);
  const Config config = planted_config();
  CountingBackend backend;
  Trainer trainer(backend, data, config);
  trainer.rehearse();
  EXPECT_EQ(backend.samples, 1);
  EXPECT_EQ(backend.steps, 1);
  EXPECT_EQ(backend.statistics, 2);
  EXPECT_EQ(backend.ranked, 4096) << "of 5999 users with held-out items";
  const TrainingProgress progress = trainer.progress();
  EXPECT_EQ(progress.epoch, 0);
  EXPECT_EQ(progress.step, 0);
  EXPECT_EQ(progress.updates, 0);
  EXPECT_TRUE(trainer.best().tensors.empty());
}

TEST(RehearsalWork, RanksNobodyWithoutAHeldOutSplit) {
  Dataset data = planted_dataset();
  data.valid = Interactions::from_pairs(data.train.num_users(), data.train.num_items(), {});
  CountingBackend backend;
  Trainer trainer(backend, data, planted_config());
  trainer.rehearse();
  EXPECT_EQ(backend.steps, 1);
  EXPECT_EQ(backend.ranked, 0);
}

TEST(RehearsalWork, FailsIfTheRankingHasNoMemory) {
  const Dataset data = planted_dataset();
  CountingBackend backend;
  backend.refuses_ranking = true;
  Trainer trainer(backend, data, planted_config());
  EXPECT_THROW(trainer.rehearse(), MemoryError);
}

}  // namespace
}  // namespace tern::test
