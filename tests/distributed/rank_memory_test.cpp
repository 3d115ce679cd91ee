// The memory formula by rank, compared with the bytes that ranks allocate, which are threads here.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/distributed/column_backend.hpp"
#include "tests/distributed/ranks_in_threads.hpp"
#include "tests/train/measured_memory.hpp"

namespace tern::test {
namespace {

using ::testing::Each;

TEST(RankMemory, IsLittleMoreThanAllocated) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer's allocator does not count";
#endif
  for (const ModelKind kind : {ModelKind::kLightGcn, ModelKind::kMatrixFactorization}) {
    const Dataset data = planted_dataset_for(kind, 12'000, 8'000);
    Config config = measured_config(kind);
    config.model.width = 96;
    config.epochs = 2;
    for (const int ranks : {2, 3}) {
      const MemoryEstimate estimate = estimate_memory({.ranks = ranks}, data, config);
      const std::int64_t before = allocated();
      std::int64_t counted = 0;
      const auto failures = run_ranks(ranks, [&](distributed::Communicator& communicator) {
        distributed::ColumnBackend backend(communicator, 1);
        Trainer trainer(backend, data, config);
        trainer.run();
        const TrainingState checkpoint = trainer.state();
        communicator.barrier();  // all hold theirs
        if (communicator.rank() == 0) counted = allocated() - before;
        communicator.barrier();
      });
      EXPECT_THAT(failures, Each(""));
      EXPECT_THAT(ranks * estimate.host_to_come(), little_above(counted)) << ranks << " ranks";
    }
  }
}

}  // namespace
}  // namespace tern::test
