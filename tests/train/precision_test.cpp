// Training whose propagations read bf16: every model that has some learns, repeats, and resumes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "host/train/determinism.hpp"
#include "tern/device.hpp"
#include "tern/error.hpp"
#include "tern/memory.hpp"
#include "tern/trainer.hpp"
#include "tests/model/model_fixture.hpp"
#include "tests/support/backends.hpp"
#include "tests/train/job.hpp"
#include "tests/train/measured_memory.hpp"

namespace tern::test {
namespace {

struct PrecisionCase {
  const char* name;
  ModelKind kind;
  int layers;
  PropagationKind propagation = PropagationKind::kLightGcn;
  ContrastKind contrast = ContrastKind::kNone;
  int view_layer = 1;
};

void PrintTo(const PrecisionCase& tested, std::ostream* out) {
  *out << tested.name;
}

std::vector<PrecisionCase> precision_cases() {
  const ModelKind gcn = ModelKind::kLightGcn;
  const auto unit_rows = PropagationKind::kLightGcnPlusPlus;
  const auto one = PropagationKind::kLightGcn;
  return {{"lightgcn_1", gcn, 1},
          {"lightgcn_2", gcn, 2},
          {"lightgcn_3", gcn, 3},
          {"lightgcn_4", gcn, 4},
          {"lightgcnpp_1", gcn, 1, unit_rows},
          {"lightgcnpp_3", gcn, 3, unit_rows},
          {"xsimgcl_2", gcn, 2, one, ContrastKind::kXSimGcl},
          {"xsimgcl_4", gcn, 4, one, ContrastKind::kXSimGcl},
          {"xsimgcl_4_view_3", gcn, 4, one, ContrastKind::kXSimGcl, 3},
          {"gcmc", ModelKind::kGcMc, 2}};
}

Config precision_config(const PrecisionCase& tested, GatherPrecision gather) {
  Config config = planted_config(tested.kind);
  config.model.layers = tested.layers;
  config.model.propagation.kind = tested.propagation;
  config.model.contrast.kind = tested.contrast;
  config.model.contrast.layer = tested.view_layer;
  config.model.gather = gather;
  return config;
}

class Precision : public testing::TestWithParam<PrecisionCase> {
 protected:
  Config config_ = precision_config(GetParam(), GatherPrecision::kBf16);
  Config f32_config_ = precision_config(GetParam(), GatherPrecision::kOwn);
  Dataset data_ = planted_dataset_for(GetParam().kind);
};

TEST_P(Precision, LearnsThePlantedGroups) {
  const auto backend = make_cpu_backend(2);
  const auto metric_of = [&](const Config& config) {
    return Trainer(*backend, data_, config).run().best_metric;
  };
  // By chance 0.15. The two trainings drift apart, but not far.
  EXPECT_GT(metric_of(config_), 0.2);
  EXPECT_NEAR(metric_of(config_), metric_of(f32_config_), 0.1);
}

TEST_P(Precision, ChangesTheResult) {
  config_.epochs = f32_config_.epochs = 1;
  const auto backend = make_cpu_backend(2);
  EXPECT_FALSE(same(trained_parameters(*backend, data_, config_),
                    trained_parameters(*backend, data_, f32_config_)));
}

TEST_P(Precision, TheNumberOfThreadsLeavesTheBits) {
  const ShortTraining one = train_briefly(*make_cpu_backend(1), data_, config_, 13);
  for (const int threads : {2, 3, 7}) {
    const ShortTraining other = train_briefly(*make_cpu_backend(threads), data_, config_, 13);
    EXPECT_EQ(find_difference(one, other), std::nullopt) << threads;
  }
}

TEST_P(Precision, ResumesBitForBit) {
  for (const BackendCase& tested : backends_under_test()) {
    const auto backend = tested.make();
    config_.epochs = 4;
    const TensorFile whole = trained_parameters(*backend, data_, config_);
    EXPECT_TRUE(same(resumed_parameters(*backend, data_, config_, 2), whole)) << tested.name;
  }
}

/// The copies that propagations read: the estimate grows by what a job allocates more.
TEST_P(Precision, TakesTheMemoryOfItsCopies) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer's allocator does not count";
#endif
  const Dataset data = planted_dataset_for(GetParam().kind, 12'000, 8'000);
  const auto backend = make_cpu_backend(1);
  for (const InputKind inputs : {InputKind::kIds, InputKind::kBoth, InputKind::kFeatures}) {
    std::int64_t kept[2];
    std::int64_t estimated[2];
    for (Config config : {config_, f32_config_}) {
      config.model.inputs = inputs;
      config.model.width = 48;
      const std::size_t i = config.model.gather == GatherPrecision::kBf16 ? 0 : 1;
      const MemoryEstimate estimate =
          estimate_memory({.kind = MemoryTarget::Kind::kCpu}, data, config);
      estimated[i] = part(estimate, "copies");
      const std::int64_t before = allocated();
      const Trainer trainer(*backend, data, config);
      kept[i] = allocated() - before;
    }
    EXPECT_EQ(estimated[1], 0);
    const std::int64_t more = kept[0] - kept[1];
    EXPECT_GE(estimated[0], more - (1 << 17)) << "but for the headers and pages of blocks";
    EXPECT_LE(estimated[0], more + more / 4);
  }
}

/// The emulated devices count every byte that they give.
TEST_P(Precision, TakesTheMemoryOfItsCopiesOnADevice) {
  const Dataset data = planted_dataset_for(GetParam().kind, 1'200, 800);
  const auto backends = backends_under_test();
  if (std::ranges::count(backends, "simt", &BackendCase::name) == 0) {
    GTEST_SKIP() << "built without the emulator of CUDA devices (TERN_EMULATOR=OFF)";
  }
  for (const BackendCase& tested : backends) {
    if (tested.name != "simt") continue;
    const auto backend = tested.make();
    for (const InputKind inputs : {InputKind::kIds, InputKind::kBoth, InputKind::kFeatures}) {
      std::int64_t kept[2];
      std::int64_t estimated[2];
      for (Config config : {config_, f32_config_}) {
        config.model.inputs = inputs;
        config.model.width = 20;  // of which a copy makes 24
        const std::size_t i = config.model.gather == GatherPrecision::kBf16 ? 0 : 1;
        estimated[i] = part(estimate_memory(memory_target(*backend), data, config), "copies",
                            &MemoryPart::device);
        const std::int64_t before = backend->memory().free;
        const Trainer trainer(*backend, data, config);
        kept[i] = before - backend->memory().free;
      }
      EXPECT_EQ(estimated[1], 0);
      EXPECT_EQ(estimated[0], kept[0] - kept[1]);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Precision, testing::ValuesIn(precision_cases()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(PrecisionOfModels, LeavesMatrixFactorizationAsItIs) {
  Config config = planted_config(ModelKind::kMatrixFactorization);
  config.epochs = 2;
  const Dataset data = planted_dataset();
  const TensorFile plain = trained_parameters(*make_cpu_backend(1), data, config);
  config.model.gather = GatherPrecision::kBf16;
  EXPECT_TRUE(same(trained_parameters(*make_cpu_backend(1), data, config), plain));
}

/// An element of a layer moves by half a unit of bf16, 2⁻⁹ of the terms that it sums.
TEST(PrecisionOfModels, FinalEmbeddingsMoveALittle) {
  const Interactions interactions = with_isolated_nodes(60, 50, 400, 3);
  for (const char* device : {"reference", "cpu"}) {
    ModelOptions options = model_options(ModelKind::kLightGcn, 20, 3);
    const auto embedded = [&] {
      ModelFixture f(make_backend(device), interactions, options, 16);
      f.model->embed();
      return f.embeddings(Side::kUser);
    };
    const Values plain = embedded();
    options.gather = GatherPrecision::kBf16;
    const Values found = embedded();
    double largest = 0.0, moved = 0.0;
    for (std::size_t i = 0; i < plain.size(); ++i) {
      largest = std::max(largest, std::abs(plain[i]));
      moved = std::max(moved, std::abs(found[i] - plain[i]));
    }
    EXPECT_GT(moved, 0.0) << device;
    EXPECT_LT(moved, 0.01 * largest) << device;
  }
}

}  // namespace
}  // namespace tern::test
