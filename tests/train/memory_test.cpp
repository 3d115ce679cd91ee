// The memory formula, compared with the bytes that a job allocates.

#include "tern/memory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tern/device.hpp"
#include "tern/error.hpp"
#include "tern/trainer.hpp"
#include "tests/support/backends.hpp"
#include "tests/train/measured_memory.hpp"
#include "tests/train/planted.hpp"

namespace tern::test {
namespace {

using Kind = MemoryTarget::Kind;

class Memory : public testing::TestWithParam<ModelKind> {
 protected:
  /// The inputs of a GC-MC; one entry for the other models.
  static std::vector<InputKind> inputs() {
    if (GetParam() != ModelKind::kGcMc) return {InputKind::kAuto};
    return {InputKind::kBoth, InputKind::kIds, InputKind::kFeatures};
  }
};

TEST_P(Memory, OfTheCpuIsLittleMoreThanAllocated) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer's allocator does not count";
#endif
  const Dataset data = planted_dataset_for(GetParam(), 12'000, 8'000);
  for (const InputKind input : inputs()) {
    for (const OptimizerKind optimizer : {OptimizerKind::kAdam, OptimizerKind::kSgd}) {
      Config config = measured_config(GetParam());
      config.model.inputs = input;
      config.optimizer.kind = optimizer;
      config.threads = optimizer == OptimizerKind::kAdam ? 2 : 1;
      if (optimizer == OptimizerKind::kSgd) config.loss.kind = LossKind::kSoftmax;
      const MemoryEstimate estimate = estimate_memory({.kind = Kind::kCpu}, data, config);
      const auto backend = make_cpu_backend(config.threads);
      const std::int64_t counted = allocated_by_job(*backend, data, config);
      EXPECT_THAT(estimate.host_to_come(), little_above(counted)) << static_cast<int>(input);
      EXPECT_EQ(estimate.device(), 0);
      const bool adam = optimizer == OptimizerKind::kAdam;
      const bool by_rows = adam && GetParam() == ModelKind::kMatrixFactorization;
      EXPECT_EQ(part(estimate, "optimizer"), (adam ? 2 * part(estimate, "parameters") : 0) +
                                                 (by_rows ? 8 * (12'000 + 8'000) : 0));
    }
  }
}

/// The emulated devices count every byte that they give.
TEST_P(Memory, OfADeviceIsLittleMoreThanAllocated) {
  int found = 0;
  for (const BackendCase& backend_case : backends_of_batches_under_test()) {
    if (backend_case.name != "simt" && backend_case.family != "simt_fused") continue;
    ++found;
    SCOPED_TRACE(backend_case.name);
    const auto backend = backend_case.make();
    const MemoryTarget target = memory_target(*backend);
    EXPECT_EQ(target.kind, Kind::kCuda);
    Config config = measured_config(GetParam());
    if (backend_case.family == "simt_fused") config.reproducibility = Reproducibility::kNone;

    // The memory that a job keeps, without scratch: without a step, as emulated kernels are slow.
    const Dataset large = planted_dataset_for(GetParam(), 9'000, 6'000);
    const MemoryEstimate estimate = estimate_memory(target, large, config);
    std::int64_t before = backend->memory().free;
    {
      const Trainer trainer(*backend, large, config);
      // A radix sort may take fewer than the 2 MiB that it is given.
      EXPECT_THAT(estimate.device() - part(estimate, "scratch", &MemoryPart::device),
                  little_above(before - backend->memory().free, 2 << 20));
    }
    EXPECT_EQ(part(estimate, "parameters"), 0) << "not on the host";
    EXPECT_GT(part(estimate, "best"), 0) << "on the host";

    // With scratch, nearly all of which is constant in a small job.
    const Dataset small = planted_dataset_for(GetParam(), 240, 160);
    config.batch_size = 500;
    for (const auto& [loss, negatives] : {std::pair{LossKind::kBpr, SoftmaxNegatives::kBatch},
                                          {LossKind::kSoftmax, SoftmaxNegatives::kBatch},
                                          {LossKind::kDirectAu, SoftmaxNegatives::kBatch},
                                          {LossKind::kCcl, SoftmaxNegatives::kBatch},
                                          {LossKind::kSoftmaxAtK, SoftmaxNegatives::kBatch},
                                          {LossKind::kSoftmax, SoftmaxNegatives::kMixed}}) {
      config.loss.kind = loss;
      config.loss.negatives = negatives;
      const auto unused = backend_case.make();  // without the scratch of earlier jobs
      before = unused->memory().free;
      Trainer trainer(*unused, small, config);
      trainer.run();
      EXPECT_THAT(estimate_memory(target, small, config).device(),
                  little_above(before - unused->memory().free, 12 << 20));
    }
  }
#ifndef __SANITIZE_THREAD__
  EXPECT_EQ(found, 2);
#endif
}

TEST(MemoryEstimate, OfLightGcnPlusPlusIsLittleMoreThanAllocated) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer's allocator does not count";
#endif
  for (const int layers : {1, 2, 4}) {
    SCOPED_TRACE(layers);
    Config config = measured_config(ModelKind::kLightGcn);
    config.model.layers = layers;
    config.model.propagation.kind = PropagationKind::kLightGcnPlusPlus;
    const Dataset data = planted_dataset(12'000, 8'000);
    const auto backend = make_cpu_backend(config.threads);
    EXPECT_THAT(estimate_memory({.kind = Kind::kCpu}, data, config).host_to_come(),
                little_above(allocated_by_job(*backend, data, config)));
    for (const BackendCase& tested : backends_of_batches_under_test()) {
      if (tested.name != "simt") continue;
      const auto device = tested.make();
      const MemoryEstimate estimate = estimate_memory(memory_target(*device), data, config);
      const std::int64_t free = device->memory().free;
      const Trainer kept(*device, data, config);
      EXPECT_THAT(estimate.device() - part(estimate, "scratch", &MemoryPart::device),
                  little_above(free - device->memory().free, 2 << 20));
    }
  }
}

TEST_P(Memory, GrowsWithTheWidth) {
  const Dataset data = planted_dataset_for(GetParam());
  const auto total = [&](Kind kind, int width) {
    Config config = measured_config(GetParam());
    config.model.width = width;
    const MemoryEstimate estimate = estimate_memory({.kind = kind}, data, config);
    return estimate.host() + estimate.device();
  };
  for (const auto kind : {Kind::kReference, Kind::kCpu, Kind::kCuda}) {
    EXPECT_LT(total(kind, 16), total(kind, 64));
    EXPECT_LT(total(kind, 64), total(kind, 512));
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Memory, testing::ValuesIn(kModels),
                         [](const auto& info) { return std::string(model_name(info.param)); });

TEST(MemoryEstimate, OfAJobThatNoMachineHoldsNamesTheLargestPartsAndTheirKeys) {
  const Dataset data = planted_dataset();
  Config config = planted_config();
  config.model.kind = ModelKind::kGcMc;
  config.model.width = 65536;
  config.model.hidden.assign(200, 65536);  // weights of 3.4 TB, with gradients and moments 14 TB
  const auto backend = make_cpu_backend(1);
  const MemoryEstimate estimate = estimate_memory(memory_target(*backend), data, config);
  EXPECT_GT(estimate.host_to_come(), std::int64_t{8} * 1'000'000 * 1'000'000);
  const std::string shortage = memory_shortage(estimate, *backend);
  EXPECT_THAT(shortage, testing::MatchesRegex(
                            "training needs about [0-9.]+ TB on the host, [0-9.]+ .B free; the "
                            "largest parts, and the keys that shrink them: checkpoint [0-9]+ TB "
                            "\\(model.width\\), optimizer [0-9]+ TB \\(model.width, "
                            "optimizer.kind\\), .*\\)"));
  EXPECT_THROW(expect_memory(estimate, *backend), Error);
}

TEST(MemoryEstimate, NamesOnlyKeysThatTheModelReads) {
  const Dataset data = planted_dataset();
  const auto keys_of = [&](const Config& config, std::string_view name = "layers") {
    for (const MemoryPart& part : estimate_memory({}, data, config).parts) {
      if (part.name == name) return part.keys;
    }
    return std::string("no such part");
  };
  Config config = planted_config();
  EXPECT_EQ(keys_of(config), "model.width");
  config.model.propagation.kind = PropagationKind::kLightGcnPlusPlus;
  EXPECT_EQ(keys_of(config), "model.width, model.layers");
  EXPECT_EQ(keys_of(planted_config(ModelKind::kGcMc)), "model.width, model.hidden");
  config = planted_config(ModelKind::kGcMc);
  config.model.hidden.clear();
  EXPECT_EQ(keys_of(config), "model.width");
  config.loss.kind = LossKind::kSoftmax;
  EXPECT_EQ(keys_of(config, "loss"), "train.batch_size, model.width");
  for (const SoftmaxNegatives negatives : {SoftmaxNegatives::kSampled, SoftmaxNegatives::kMixed}) {
    config.loss.negatives = negatives;
    EXPECT_EQ(keys_of(config, "loss"),
              "train.batch_size, sampling.negatives_per_positive, model.width");
  }
}

/// More than all items are not ranked, and the lists of sl@k have 2²⁰ items at most.
TEST(MemoryEstimate, OfALargeKIsThatOfAllItems) {
  const Dataset data = planted_dataset(12'000, 8'000);
  Config config = measured_config(ModelKind::kMatrixFactorization);
  config.loss.kind = LossKind::kSoftmaxAtK;
  for (const Kind kind : {Kind::kReference, Kind::kCpu, Kind::kCuda}) {
    const auto scratch = [&](int k) {
      config.loss.at_k.k = k;
      const MemoryEstimate estimate = estimate_memory({.kind = kind}, data, config);
      return part(estimate, "scratch") + part(estimate, "scratch", &MemoryPart::device);
    };
    EXPECT_EQ(scratch(65536), scratch(8'000));
    const std::int64_t more = scratch(1'000) - scratch(10);  // on a GPU no rows are sorted
    EXPECT_GT(more, 8 * (1 << 20) - 8 * 10 * 4096);
    EXPECT_LE(more, 16 * (1 << 20) + 1024 * 1'000);
  }
}

/// Pairs are not reached by a key of the configuration, so that no trainer makes them here.
TEST(MemoryEstimate, OfPairsIsThatOfOneNegative) {
  const Dataset data = planted_dataset(9'000, 6'000);
  Config config = measured_config(ModelKind::kMatrixFactorization);
  const auto of_triplets = [&](const MemoryTarget& target, int negatives_per_positive) {
    config.sampling.negatives_per_positive = negatives_per_positive;
    const MemoryEstimate estimate = estimate_memory(target, data, config);
    return part(estimate, "triplets") + part(estimate, "triplets", &MemoryPart::device);
  };
  for (const Kind kind : {Kind::kReference, Kind::kCpu, Kind::kCuda}) {
    EXPECT_EQ(of_triplets({.kind = kind}, 0), of_triplets({.kind = kind}, 1));
  }
  for (const BackendCase& backend_case : backends_of_batches_under_test()) {
    if (backend_case.name != "simt" && backend_case.family != "simt_fused") continue;
    SCOPED_TRACE(backend_case.name);
    const auto backend = backend_case.make();
    config.reproducibility =
        backend_case.family == "simt_fused" ? Reproducibility::kNone : Reproducibility::kBitwise;
    const Graph graph = backend->make_graph(data.train);
    const std::int64_t before = backend->memory().free;
    const auto taken = [&](int negatives_per_positive) {
      const Triplets triplets = backend->make_triplets(
          graph, {.negatives_per_positive = negatives_per_positive}, config.batch_size);
      return before - backend->memory().free;
    };
    EXPECT_LT(taken(0), taken(1)) << "one item a pair";
    EXPECT_LE(taken(0), of_triplets(memory_target(*backend), 0));
  }
}

TEST(MemoryEstimate, OfASmallJobFits) {
  const Dataset data = planted_dataset();
  const auto backend = make_cpu_backend(1);
  const MemoryEstimate estimate = estimate_memory(memory_target(*backend), data, planted_config());
  EXPECT_EQ(memory_shortage(estimate, *backend), "");
  expect_memory(estimate, *backend);
  EXPECT_THAT(memory_line(estimate, *backend), testing::HasSubstr("MB on the host"));
}

}  // namespace
}  // namespace tern::test
