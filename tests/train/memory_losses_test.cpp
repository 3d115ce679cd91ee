// The memory formula of losses and contrasts, compared with the bytes that a job allocates.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tern/device.hpp"
#include "tern/memory.hpp"
#include "tern/trainer.hpp"
#include "tests/support/backends.hpp"
#include "tests/train/measured_memory.hpp"
#include "tests/train/planted.hpp"

namespace tern::test {
namespace {

using Kind = MemoryTarget::Kind;

class LossMemory : public testing::TestWithParam<ModelKind> {};

/// With many negatives, most of the memory is that of sorting triplets, whose vectors grow by doubling:
/// 40 · 2048 is in the middle between powers of two.
TEST_P(LossMemory, OfSampledNegativesIsLittleMoreThanAllocated) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer's allocator does not count";
#endif
  const Dataset data = planted_dataset_for(GetParam(), 12'000, 8'000);
  for (const int negatives : {4, 40}) {
    Config config = measured_config(GetParam());
    config.loss.kind = LossKind::kCcl;
    config.sampling.negatives_per_positive = negatives;
    const MemoryEstimate estimate = estimate_memory({.kind = Kind::kCpu}, data, config);
    const auto backend = make_cpu_backend(config.threads);
    EXPECT_THAT(estimate.host_to_come(), little_above(allocated_by_job(*backend, data, config)))
        << negatives;
    EXPECT_GT(part(estimate, "loss"), 0);
  }
}

/// Columns of all pairs' negatives take unit rows, and their gradients in parts.
TEST(LossMemoryEstimate, OfMixedNegativesIsLittleMoreThanAllocated) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer's allocator does not count";
#endif
  Config config = measured_config(ModelKind::kMatrixFactorization);
  config.loss.kind = LossKind::kSoftmax;
  config.loss.negatives = SoftmaxNegatives::kMixed;
  config.sampling.negatives_per_positive = 4;
  config.batch_size = 500;
  config.threads = 2;
  const Dataset data = planted_dataset(2400, 1600);
  const MemoryEstimate estimate = estimate_memory({.kind = Kind::kCpu}, data, config);
  const auto backend = make_cpu_backend(config.threads);
  EXPECT_THAT(estimate.host_to_come(),
              little_above(allocated_by_job(*backend, data, config), 1 << 20));
  config.loss.negatives = SoftmaxNegatives::kSampled;
  EXPECT_GT(part(estimate, "loss"),
            2 * part(estimate_memory({.kind = Kind::kCpu}, data, config), "loss"));
}

TEST(LossMemoryEstimate, OfAContrastIsLittleMoreThanAllocated) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer's allocator does not count";
#endif
  for (const int layers : {1, 2, 3}) {
    SCOPED_TRACE(layers);
    Config config = measured_config(ModelKind::kLightGcn);
    config.model.layers = layers;
    config.model.contrast.kind = ContrastKind::kXSimGcl;
    const Dataset data = planted_dataset(12'000, 8'000);
    const auto backend = make_cpu_backend(config.threads);
    EXPECT_THAT(estimate_memory({.kind = Kind::kCpu}, data, config).host_to_come(),
                little_above(allocated_by_job(*backend, data, config)));
    for (const BackendCase& tested : backends_of_batches_under_test()) {
      if (tested.name != "simt") continue;
      const auto device = tested.make();
      const MemoryEstimate estimate = estimate_memory(memory_target(*device), data, config);
      std::int64_t free = device->memory().free;
      {
        const Trainer kept(*device, data, config);
        EXPECT_THAT(estimate.device() - part(estimate, "scratch", &MemoryPart::device) -
                        part(estimate, "loss", &MemoryPart::device),
                    little_above(free - device->memory().free, 2 << 20));
      }
      const Dataset small = planted_dataset(240, 160);
      const auto unused = tested.make();
      free = unused->memory().free;
      Trainer short_job(*unused, small, config);
      short_job.run();
      EXPECT_THAT(estimate_memory(memory_target(*unused), small, config).device(),
                  little_above(free - unused->memory().free, 12 << 20));
    }
  }
}

/// On a device the rest of such a job outweighs the workspaces of the losses, which are what is left of
/// it after the bytes of the same job with neither.
TEST(LossMemoryEstimate, OfALossBesideAContrastIsLittleMoreThanAllocatedOnADevice) {
  const Dataset data = planted_dataset(240, 160);
  for (const BackendCase& tested : backends_of_batches_under_test()) {
    if (tested.name != "simt") continue;
    const auto taken = [&](const Config& config) {
      const auto device = tested.make();
      const std::int64_t free = device->memory().free;
      Trainer trainer(*device, data, config);
      trainer.run();
      return free - device->memory().free;
    };
    Config with = measured_config(ModelKind::kLightGcn);
    with.model.layers = 2;
    with.model.contrast.kind = ContrastKind::kXSimGcl;
    with.loss.kind = LossKind::kCcl;
    with.sampling.negatives_per_positive = 40;
    with.batch_size = 100;
    Config without = with;
    without.model.contrast.kind = ContrastKind::kNone;
    without.loss.kind = LossKind::kBpr;
    without.batch_size = 40 * with.batch_size;  // the same triplets
    const MemoryTarget target = memory_target(*tested.make());
    const MemoryEstimate estimate = estimate_memory(target, data, with);
    const MemoryEstimate rest = estimate_memory(target, data, without);
    const auto more = [&](const char* name) {
      return part(estimate, name, &MemoryPart::device) - part(rest, name, &MemoryPart::device);
    };
    EXPECT_EQ(more("triplets"), 0);
    EXPECT_EQ(part(rest, "loss", &MemoryPart::device), 0);
    constexpr std::int64_t kSmallBlocks = 1024;  // the formula leaves them out
    const std::int64_t counted = taken(with) - taken(without) - more("layers");
    EXPECT_THAT(more("loss"), little_above(counted - kSmallBlocks, 2 * kSmallBlocks));
    EXPECT_GT(more("loss"), 100'000);
  }
}

/// On a device the mask of observed pairs has a bit a pair, unless the batch is too large for it.
TEST(LossMemoryEstimate, OfAMaskIsWhatADeviceAllocates) {
  Config with = measured_config(ModelKind::kMatrixFactorization);
  with.loss.kind = LossKind::kSoftmax;
  with.loss.softmax.mask = SoftmaxMask::kObserved;
  with.batch_size = 300;
  Config without = with;
  without.loss.softmax.mask = SoftmaxMask::kSameItem;
  const Dataset small = planted_dataset(240, 160);
  const auto more = [&](const MemoryTarget& target, const Dataset& data) {
    return estimate_memory(target, data, with).device() -
           estimate_memory(target, data, without).device();
  };
  for (const BackendCase& tested : backends_of_batches_under_test()) {
    if (tested.name != "simt") continue;
    const auto taken = [&](const Config& config) {
      const auto device = tested.make();
      const std::int64_t free = device->memory().free;
      Trainer trainer(*device, small, config);
      trainer.run();
      return free - device->memory().free;
    };
    EXPECT_EQ(more(memory_target(*tested.make()), small), 320 * 5 * 8);
    EXPECT_EQ(taken(with) - taken(without), 320 * 5 * 8);
  }
  const Dataset large = planted_dataset(12'000, 8'000);
  ASSERT_GT(large.train.size(), 32'769);
  with.batch_size = without.batch_size = 32'768;
  EXPECT_EQ(more({.kind = Kind::kCuda}, large), 128 << 20);
  with.batch_size = without.batch_size = 32'769;
  EXPECT_EQ(more({.kind = Kind::kCuda}, large), 0);
}

/// The workspace of each loss over all pairs of a batch, on a CPU; it outweighs the rest of such a job.
TEST_P(LossMemory, OfALossIsLittleMoreThanAllocated) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer's allocator does not count";
#endif
  const Dataset data = planted_dataset_for(GetParam(), 1'500, 1'000);
  for (const LossKind loss : {LossKind::kSoftmax, LossKind::kDirectAu, LossKind::kSoftmaxAtK}) {
    Config config = measured_config(GetParam());
    config.loss.kind = loss;
    config.batch_size = 5'000;
    config.threads = 1;
    const MemoryEstimate estimate = estimate_memory({.kind = Kind::kCpu}, data, config);
    const auto backend = make_cpu_backend(config.threads);
    EXPECT_THAT(estimate.host_to_come(), little_above(allocated_by_job(*backend, data, config)))
        << static_cast<int>(loss);
  }
}

INSTANTIATE_TEST_SUITE_P(Models, LossMemory, testing::ValuesIn(kModels),
                         [](const auto& info) { return std::string(model_name(info.param)); });

/// Without interactions a batch has fewer triplets than a pair has negatives.
TEST(LossMemoryEstimate, OfEmptyDataIsFinite) {
  Config config = measured_config(ModelKind::kMatrixFactorization);
  config.loss.kind = LossKind::kSoftmax;
  config.sampling.negatives_per_positive = 4;
  for (const SoftmaxNegatives negatives :
       {SoftmaxNegatives::kBatch, SoftmaxNegatives::kSampled, SoftmaxNegatives::kMixed}) {
    config.loss.negatives = negatives;
    for (const Kind kind : {Kind::kReference, Kind::kCpu, Kind::kCuda}) {
      const MemoryEstimate estimate = estimate_memory({.kind = kind}, Dataset{}, config);
      EXPECT_LT(part(estimate, "loss") + part(estimate, "loss", &MemoryPart::device), 1 << 20);
    }
  }
}

}  // namespace
}  // namespace tern::test
