// The memory formula by rank, compared with the bytes that ranks allocate, which are threads here.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/distributed/column_backend.hpp"
#include "tests/distributed/ranks_in_threads.hpp"
#include "tests/train/measured_memory.hpp"

namespace tern::test {
namespace {

using ::testing::Each;

/// What ranks need together.
struct Need {
  std::int64_t estimated = 0;
  std::int64_t counted = 0;
};

Need need_of_ranks(int ranks, const Dataset& data, const Config& config) {
  const MemoryEstimate estimate = estimate_memory({.ranks = ranks}, data, config);
  const std::int64_t before = allocated();
  Need need{.estimated = ranks * estimate.host_to_come()};
  const auto failures = run_ranks(ranks, [&](distributed::Communicator& communicator) {
    distributed::ColumnBackend backend(communicator, 1);
    Trainer trainer(backend, data, config);
    trainer.run();
    const TrainingState checkpoint = trainer.state();
    communicator.barrier();  // all hold theirs
    if (communicator.rank() == 0) need.counted = allocated() - before;
    communicator.barrier();
  });
  EXPECT_THAT(failures, Each(""));
  return need;
}

void expect_little_above(const Dataset& data, const Config& config) {
  for (const int ranks : {2, 3}) {
    const Need need = need_of_ranks(ranks, data, config);
    EXPECT_THAT(need.estimated, little_above(need.counted)) << ranks << " ranks";
  }
}

Config config_for(ModelKind kind) {
  Config config = measured_config(kind);
  config.model.width = 96;
  config.epochs = 2;
  return config;
}

TEST(RankMemory, IsLittleMoreThanAllocated) {
  for (const ModelKind kind : {ModelKind::kLightGcn, ModelKind::kMatrixFactorization}) {
    expect_little_above(planted_dataset_for(kind, 12'000, 8'000), config_for(kind));
  }
}

TEST(RankMemory, OfGcMcIsLittleMoreThanAllocated) {
  // Tables of less than 4 MiB: of larger ones, which are on huge pages, room is counted that is never used.
  const Dataset data = planted_dataset_for(ModelKind::kGcMc, 6'000, 4'000);
  for (const InputKind inputs : {InputKind::kBoth, InputKind::kFeatures}) {
    SCOPED_TRACE(static_cast<int>(inputs));
    Config config = config_for(ModelKind::kGcMc);
    config.model.inputs = inputs;
    config.model.hidden = {48};
    config.epochs = 1;
    expect_little_above(data, config);
  }
}

TEST(RankMemory, OfLightGcnPlusPlusIsLittleMoreThanAllocated) {
  Config config = config_for(ModelKind::kLightGcn);
  config.model.propagation.kind = PropagationKind::kLightGcnPlusPlus;
  config.epochs = 1;
  expect_little_above(planted_dataset(12'000, 8'000), config);
}

/// With the measurement of thresholds, before the second epoch.
TEST(RankMemory, OfSoftmaxAtKIsLittleMoreThanAllocated) {
  Config config = config_for(ModelKind::kMatrixFactorization);
  config.loss.kind = LossKind::kSoftmaxAtK;
  expect_little_above(planted_dataset(6'000, 4'000), config);
}

/// The sums of rows are too small a part of a job to be missed there, and so they are counted alone.
TEST(RankMemory, OfUnitRowsCountsTheirSums) {
  const Dataset data = planted_dataset(12'000, 8'000);
  const Config config = config_for(ModelKind::kLightGcn);
  Config unit = config;
  unit.model.propagation.kind = PropagationKind::kLightGcnPlusPlus;
  for (const int ranks : {2, 3}) {
    const auto gathers = [&](const Config& of) {
      return part(estimate_memory({.ranks = ranks}, data, of), "gathers");
    };
    std::int64_t counted = 0;
    const auto failures = run_ranks(ranks, [&](distributed::Communicator& communicator) {
      distributed::ColumnBackend backend(communicator, 1);
      const Matrix x = backend.allocate(12'000, 96, {});
      Matrix y = backend.allocate(12'000, 96, {});
      const Matrix small = backend.allocate(100, 96, {});
      Matrix to_small = backend.allocate(100, 96, {});
      backend.normalize_rows(small, to_small, {});  // what has no sums of rows
      communicator.barrier();
      const std::int64_t before = allocated();
      communicator.barrier();
      backend.normalize_rows(x, y, {});
      backend.normalize_rows_backward(x, y, y, {});
      communicator.barrier();
      if (communicator.rank() == 0) counted = allocated() - before;
      communicator.barrier();
    });
    EXPECT_THAT(failures, Each(""));
    // Large vectors begin on pages of their own: two a rank.
    EXPECT_THAT(ranks * (gathers(unit) - gathers(config)),
                little_above(counted - ranks * 2 * 4096, ranks * 2 * 4096));
  }
}

/// What these losses take beyond bpr, of which each term is a part that counts.
TEST(RankMemory, OfLossesOverWholeRowsIsLittleMoreThanAllocated) {
  // More nodes than a batch has, since what is gathered of a table is room for what is gathered of a batch.
  const Dataset data = planted_dataset(3'000, 2'000);
  Config config = config_for(ModelKind::kMatrixFactorization);
  config.epochs = 1;
  for (const int ranks : {2, 3}) {
    config.sampling.negatives_per_positive = 4;
    config.loss = {};
    config.batch_size = 1024;
    const Need of_bpr = need_of_ranks(ranks, data, config);
    for (const auto& [loss, negatives] : {std::pair{LossKind::kSoftmax, SoftmaxNegatives::kBatch},
                                          {LossKind::kDirectAu, SoftmaxNegatives::kBatch},
                                          {LossKind::kSoftmax, SoftmaxNegatives::kMixed}}) {
      config.loss.kind = loss;
      config.loss.negatives = negatives;
      if (negatives == SoftmaxNegatives::kMixed) config.batch_size = 256;
      const Need need = need_of_ranks(ranks, data, config);
      EXPECT_THAT(need.estimated - of_bpr.estimated, little_above(need.counted - of_bpr.counted))
          << static_cast<int>(loss) << ' ' << static_cast<int>(negatives) << ", " << ranks
          << " ranks";
    }
  }
}

/// Counted alone, beside the triplets, whose memory is most of what sampled negatives need.
TEST(RankMemory, OfSampledNegativesIsLittleMoreThanAllocated) {
  constexpr int kNegatives = 4;
  const Dataset data = planted_dataset(6'000, 4'000);
  Config config = config_for(ModelKind::kMatrixFactorization);
  config.loss.kind = LossKind::kCcl;
  config.sampling.negatives_per_positive = kNegatives;
  for (const int ranks : {2, 3}) {
    std::int64_t counted = 0;
    const auto failures = run_ranks(ranks, [&](distributed::Communicator& communicator) {
      distributed::ColumnBackend backend(communicator, 1);
      const Graph graph = backend.make_graph(data.train);
      Triplets triplets = backend.make_triplets(graph, {.negatives_per_positive = kNegatives},
                                                std::int64_t{kNegatives} * config.batch_size);
      backend.sample(triplets, 1);
      const Matrix users = backend.allocate(6'000, 96, {});
      const Matrix items = backend.allocate(4'000, 96, {});
      Matrix grad_users = backend.allocate(6'000, 96, {});
      Matrix grad_items = backend.allocate(4'000, 96, {});
      Matrix losses = backend.allocate(4, triplets.num_batches(), {.replicated = true});
      communicator.barrier();
      const std::int64_t before = allocated();
      communicator.barrier();
      backend.sampled_contrast(triplets, {.kind = SampledContrastKind::kCosineContrastive}, users,
                               items, grad_users, grad_items, losses);
      communicator.barrier();
      if (communicator.rank() == 0) counted = allocated() - before;
      communicator.barrier();
    });
    EXPECT_THAT(failures, Each(""));
    const std::int64_t estimated =
        ranks * part(estimate_memory({.ranks = ranks}, data, config), "loss");
    EXPECT_THAT(estimated, little_above(counted)) << ranks << " ranks";
  }
}

TEST(RankMemory, OfAContrastIsLittleMoreThanAllocated) {
  const Dataset data = planted_dataset(6'000, 4'000);
  Config config = config_for(ModelKind::kLightGcn);
  config.epochs = 1;
  for (const int ranks : {2, 3}) {
    config.model.contrast.kind = ContrastKind::kNone;
    const Need without = need_of_ranks(ranks, data, config);
    config.model.contrast.kind = ContrastKind::kXSimGcl;
    const Need with = need_of_ranks(ranks, data, config);
    EXPECT_THAT(with.estimated - without.estimated, little_above(with.counted - without.counted))
        << ranks << " ranks";
  }
}

/// Several ranks plan their triplets also where a job need not be reproducible.
TEST(RankMemory, OfGpusCountsThePlanOfTripletsInAnyCase) {
  const Dataset data = planted_dataset(2'400, 1'600);
  Config config = config_for(ModelKind::kLightGcn);
  const auto planned = [&](int ranks) {
    return part(estimate_memory({.kind = MemoryTarget::Kind::kCuda, .ranks = ranks}, data, config),
                "triplets", &MemoryPart::device);
  };
  const std::int64_t bitwise = planned(1);
  config.reproducibility = Reproducibility::kNone;
  EXPECT_LT(planned(1), bitwise);
  EXPECT_EQ(planned(2), bitwise);
}

}  // namespace
}  // namespace tern::test
