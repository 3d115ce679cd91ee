// Training by several ranks on emulated GPUs, one a rank, over the emulated NCCL: beside training by one, in
// bits, bytes and nodes of a recorded step. Ranks are threads; one of them has a late device.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "cuda/backend.hpp"
#include "host/distributed/column_backend.hpp"
#include "host/loss/bpr_loss.hpp"
#include "host/train/optimizer.hpp"
#include "simt/runtime/nccl.hpp"
#include "tern/trainer.hpp"
#include "tests/distributed/ranks_in_threads.hpp"
#include "tests/simt_backend/simt_backend.hpp"
#include "tests/support/matrices.hpp"
#include "tests/train/planted.hpp"

namespace tern::test {
namespace {

using distributed::ColumnBackend;
using distributed::Communicator;
using ::testing::Each;
using ::testing::HasSubstr;

constexpr ModelKind kTables[] = {ModelKind::kLightGcn, ModelKind::kMatrixFactorization};
constexpr std::int64_t kBatch = 100;

/// 24 columns: three groups, which two ranks do not share evenly.
Config wide_config(ModelKind kind) {
  Config config = planted_config(kind);
  config.model.width = 24;
  config.model.init_std = 0.3;
  config.l2 = 0.01;
  config.batch_size = kBatch;
  return config;
}

std::unique_ptr<Backend> make_gpu(Communicator& communicator, std::int64_t plan_bytes = 0) {
  return make_simt_backend({.device = static_cast<SimtDevice>(communicator.rank()),
                            .plan_bytes = plan_bytes,
                            .ranks = &communicator});
}

/// What some recorded steps leave: losses, both tables and their gradients.
struct AfterSteps {
  std::vector<Values> matrices;
  std::size_t nodes = 0;

  bool operator==(const AfterSteps&) const = default;
};

AfterSteps run_steps(Backend& backend, const Config& config, int steps) {
  const Dataset data = planted_dataset();
  const Graph graph = backend.make_graph(data.train);
  Triplets triplets = backend.make_triplets(graph, {.seed = config.seed}, config.batch_size);
  const auto model = make_model(backend, graph, triplets, config.model);
  model->initialize(config.seed);
  BprLoss loss(backend, config.l2);
  Optimizer optimizer(backend, model->parameters(), config.optimizer);
  Matrix losses = backend.allocate(BprLoss::kTerms, triplets.num_batches(), {.replicated = true});
  const auto recording = backend.record([&] {
    optimizer.catch_up();
    model->forward();
    Batch batch(backend, triplets);
    loss.backward(*model, batch, losses);
    optimizer.step();
    backend.next_batch(triplets);
  });
  AfterSteps after;
  for (std::uint32_t epoch = 1; steps > 0; ++epoch) {
    backend.sample(triplets, epoch);
    for (std::int64_t step = 0; step < triplets.num_batches() && steps > 0; ++step, --steps) {
      recording->replay();
    }
    after.matrices.push_back(values_of(backend, losses));
  }
  optimizer.settle();
  for (const Parameter& parameter : model->parameters()) {
    after.matrices.push_back(values_of(backend, *parameter.value));
    after.matrices.push_back(values_of(backend, *parameter.gradient));
  }
  after.nodes = dynamic_cast<cuda::CudaRecording&>(*recording).num_nodes();
  return after;
}

std::vector<AfterSteps> run_steps_by_ranks(int ranks, const Config& config, int steps,
                                           std::int64_t plan_bytes = 0) {
  std::vector<AfterSteps> all(static_cast<std::size_t>(ranks));
  const auto failures = run_ranks(ranks, [&](Communicator& communicator) {
    ColumnBackend backend(communicator, make_gpu(communicator, plan_bytes));
    all[static_cast<std::size_t>(communicator.rank())] = run_steps(backend, config, steps);
  });
  EXPECT_THAT(failures, Each(""));
  return all;
}

TEST(CudaRanks, FirstStepsAreThoseOfOneRank) {
  for (const ModelKind kind : kTables) {
    const Config config = wide_config(kind);
    const AfterSteps expected = run_steps(*make_simt_backend(), config, 50);
    const std::size_t epochs = expected.matrices.size() - 4;
    for (const int ranks : {1, 2, 3}) {
      for (const AfterSteps& actual : run_steps_by_ranks(ranks, config, 50)) {
        ASSERT_EQ(actual.matrices.size(), expected.matrices.size());
        for (std::size_t m = 0; m < actual.matrices.size(); ++m) {
          // A step of Adam divides by the gradient's own size: near 0 its rounding counts.
          const double bound = m < epochs ? 1e-6 : 1e-3;
          ASSERT_EQ(actual.matrices[m].size(), expected.matrices[m].size());
          for (std::size_t i = 0; i < actual.matrices[m].size(); ++i) {
            ASSERT_NEAR(actual.matrices[m][i], expected.matrices[m][i], bound)
                << ranks << " ranks, matrix " << m << ", element " << i;
          }
        }
        // A gather and the kernel that adds its parts, for the scores and for the penalty.
        EXPECT_EQ(actual.nodes, expected.nodes + 4);
      }
    }
  }
}

/// In windows of batches too: a step at the end of one is not replayed, but run as it is.
TEST(CudaRanks, EqualRunsGiveEqualBitsOnEveryRank) {
  for (const ModelKind kind : kTables) {
    const Config config = wide_config(kind);
    const auto first = run_steps_by_ranks(3, config, 20);
    EXPECT_THAT(first, Each(first[0]));
    EXPECT_EQ(run_steps_by_ranks(3, config, 20), first);
    for (const AfterSteps& windows : run_steps_by_ranks(3, config, 20, 20'000)) {
      EXPECT_EQ(windows.matrices, first[0].matrices);
    }
  }
}

TEST(CudaRanks, AStepExchangesTheSumsOfItsBatchAlone) {
  constexpr int kSteps = 7;
  for (const int ranks : {2, 3}) {
    for (const double l2 : {0.0, 0.01}) {
      Config config = wide_config(ModelKind::kLightGcn);
      config.l2 = l2;
      const std::size_t before = simt::exchanged_bytes();
      (void)run_steps_by_ranks(ranks, config, kSteps);
      const std::int64_t sent = (ranks - 1) * (4 * kBatch + (l2 > 0 ? 8 : 0));  // by each rank
      EXPECT_EQ(simt::exchanged_bytes() - before, kSteps * ranks * sent);
    }
  }
}

TEST(CudaRanks, ATrainerSeesWholeTables) {
  const Dataset data = planted_dataset();
  Config config = wide_config(ModelKind::kLightGcn);
  config.epochs = 2;
  config.evaluate_every = 2;
  const auto train = [&](Backend& backend) {
    std::vector<EpochRecord> records;
    TrainerCallbacks callbacks;
    callbacks.on_epoch = [&](const EpochRecord& record) { records.push_back(record); };
    Trainer trainer(backend, data, config);
    trainer.rehearse();
    trainer.run(callbacks);
    return records;
  };
  const auto expected = train(*make_simt_backend());
  const auto failures = run_ranks(2, [&](Communicator& communicator) {
    ColumnBackend backend(communicator, make_gpu(communicator));
    const auto actual = train(backend);
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t i = 0; i < actual.size(); ++i) {
      EXPECT_NEAR(actual[i].loss, expected[i].loss, 1e-5);
      EXPECT_NEAR(actual[i].user_gradient_norm, expected[i].user_gradient_norm, 1e-4);
    }
    ASSERT_TRUE(actual.back().metrics.has_value());
    // A place in a list may change; many may not.
    EXPECT_NEAR(metric(*actual.back().metrics, "recall@10"),
                metric(*expected.back().metrics, "recall@10"), 0.02);
  });
  EXPECT_THAT(failures, Each(""));
}

/// The others wait for it on their devices, where no message of the network reaches them.
TEST(CudaRanks, AllEndIfOneFails) {
  const Config config = wide_config(ModelKind::kLightGcn);
  const auto failures = run_ranks(3, [&](Communicator& communicator) {
    ColumnBackend backend(communicator, make_gpu(communicator));
    (void)run_steps(backend, config, 3);
    if (communicator.rank() == 1) {
      while (simt::waiting_ranks() < 2) std::this_thread::yield();
      throw Error("the planted failure");
    }
    (void)run_steps(backend, config, 3);
  });
  EXPECT_EQ(failures[1], "the planted failure");
  for (const int other : {0, 2}) {
    EXPECT_THAT(failures[static_cast<std::size_t>(other)], HasSubstr("rank 1 on host ")) << other;
    EXPECT_THAT(failures[static_cast<std::size_t>(other)], HasSubstr("the planted failure"));
  }
}

TEST(CudaRanks, AllEndIfOneDoesNotJoin) {
  const auto failures = run_ranks(3, [&](Communicator& communicator) {
    if (communicator.rank() == 1) throw Error("there is no GPU here");
    (void)make_gpu(communicator);
  });
  for (const int other : {0, 2}) {
    EXPECT_THAT(failures[static_cast<std::size_t>(other)], HasSubstr("there is no GPU here"));
  }
}

TEST(CudaRanks, RefusesOpsOverWholeRows) {
  const auto failures = run_ranks(2, [&](Communicator& communicator) {
    const auto backend = make_gpu(communicator);
    const Matrix x = backend->allocate(3, 8);
    Matrix y = backend->allocate(3, 8);
    EXPECT_THROW(backend->normalize_rows(x, y, {}), ConfigError);
    communicator.barrier();
  });
  EXPECT_THAT(failures, Each(""));
}

TEST(Nccl, ALibraryWithoutAFunctionIsRefused) {
  const auto find = [](const char* name) {
    return std::string_view(name) == "ncclAllGather" ? nullptr : simt::nccl_symbol(name);
  };
  try {
    (void)cuda::nccl_api(find);
    FAIL() << "no error";
  } catch (const DeviceError& error) {
    EXPECT_THAT(error.what(), HasSubstr("libnccl.so.2 has no function ncclAllGather"));
  }
}

}  // namespace
}  // namespace tern::test
