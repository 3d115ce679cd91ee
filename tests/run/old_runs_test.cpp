// Runs written by version 0.1.0 can be read and continued. fixtures/README.md says how they were
// made.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "host/run/checkpoint.hpp"
#include "tern/device.hpp"
#include "tern/run.hpp"
#include "tern/trainer.hpp"
#include "tests/run/run_fixture.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/train/job.hpp"

namespace tern::test {
namespace {

const fs::path kFixtures = fs::path(TERN_TEST_DATA) / "../run/fixtures";
constexpr char kWithinAnEpoch[] = "checkpoints/epoch-000001-step-000002.safetensors";
constexpr char kAfterAnEpoch[] = "checkpoints/epoch-000002.safetensors";

/// A copy of an old run, since training writes to it.
class OldRun : public ::testing::TestWithParam<const char*> {
 protected:
  using Run = tern::Run;  // not googletest's

  OldRun() { fs::copy(kFixtures / GetParam(), folder, fs::copy_options::recursive); }

  static bool is_mf() { return GetParam() == std::string("mf"); }

  /// The state after epoch 4 that the run must come to from this state.
  static TrainingState expected_after(const std::string& state) {
    std::string name = GetParam();
    // Version 0.1.0 left rows of mf without gradient as they were. From the saved state on they move,
    // so that the end depends on it.
    if (is_mf()) name += state == kAfterAnEpoch ? "-after" : "-within";
    return to_state(read_checkpoint(kFixtures / "expected" / (name + ".safetensors")), "");
  }

  /// The same, computed for mf by the same model with dense gradients.
  TrainingState dense_after(const std::string& state, Backend& backend) const {
    Config config = Run::open(folder).config();
    config.model.kind = ModelKind::kLightGcn;
    config.model.layers = 0;
    config.epochs = 4;
    const Dataset data = load_dataset(kFixtures / "data", config.data);
    Trainer dense(backend, data, config);
    dense.restore(to_state(read_checkpoint(folder / state), ""), "");
    dense.run();
    return dense.state();
  }

  /// Continues from the newest state until epoch 4, as `tern train --resume` does.
  TrainingState trained_to_epoch_4(Backend& backend) const {
    Run run = Run::resume(folder);
    Config config = run.config();
    config.data_path = (kFixtures / "data").string();
    config.epochs = 4;
    const Dataset data = load_dataset(config.data_path, config.data);
    run.check_data(data, config.data_path);
    Trainer trainer(backend, data, config);
    const Run::SavedState saved = run.newest_state().value();
    trainer.restore(saved.state, saved.path.string());
    run.set_config(config);
    trainer.run();
    run.write_state(trainer.state());
    return run.newest_state().value().state;
  }

  const TemporaryDirectory directory;
  const fs::path folder = directory / "run";
};

/// The largest difference of two tensors, as a share of the largest element. The moments of a
/// gradient that is zero except for rounding have no digits to compare: a largest element below
/// 0.01 counts as 0.01.
double relative_difference(const Tensor& found, const Tensor& expected) {
  const auto elements = [](const Tensor& tensor) {
    return std::visit(
        [](const auto& values) { return std::vector<double>(values.begin(), values.end()); },
        tensor.values);
  };
  const std::vector<double> a = elements(found);
  const std::vector<double> b = elements(expected);
  if (a.size() != b.size()) return HUGE_VAL;
  double difference = 0.0;
  double largest = 0.01;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference = std::max(difference, std::abs(a[i] - b[i]));
    largest = std::max(largest, std::abs(b[i]));
  }
  return difference / largest;
}

/// Vector widths, fused multiplication and BLAS kernels change the last digits, hence the
/// tolerance.
void expect_equal(const TrainingState& found, const TrainingState& expected) {
  constexpr double kTolerance = 1e-4;
  EXPECT_EQ(found.progress.epoch, 4);
  EXPECT_EQ(found.progress.step, 0);
  EXPECT_EQ(found.progress.updates, expected.progress.updates);
  EXPECT_EQ(found.counters, expected.counters);
  ASSERT_EQ(found.tensors.size(), expected.tensors.size());
  for (const auto& [name, tensor] : expected.tensors) {
    ASSERT_TRUE(found.tensors.contains(name)) << name;
    EXPECT_LE(relative_difference(found.tensors.at(name), tensor), kTolerance) << name;
  }
}

TEST_P(OldRun, StatesAreReadAndWrittenBitForBit) {
  for (const char* name : {kWithinAnEpoch, kAfterAnEpoch}) {
    SCOPED_TRACE(name);
    const TensorFile old = read_checkpoint(folder / name);
    const TrainingState state = to_state(old, name);
    const bool within = name == kWithinAnEpoch;
    EXPECT_EQ(state.progress.epoch, within ? 1 : 2);
    EXPECT_EQ(state.progress.step, within ? 2 : 0);
    EXPECT_EQ(state.progress.steps, 4);
    EXPECT_EQ(state.progress.updates, within ? 6 : 8);
    EXPECT_EQ(state.progress.best_epoch, within ? 0 : 2);
    EXPECT_EQ(state.progress.best_metric.has_value(), !within);
    EXPECT_EQ(state.tensors.contains("training.losses"), within);
    if (GetParam() == std::string("gcmc")) {
      EXPECT_EQ(state.counters,
                (std::map<std::string, std::int64_t>{{"dropout_steps", state.progress.updates}}));
    } else {
      EXPECT_TRUE(state.counters.empty());
    }
    // The run adds its own metadata to those of the state.
    TensorFile again = to_file(state);
    for (const char* key :
         {"build", "config", "config_hash", "data_fingerprint", "format_version", "model"}) {
      again.metadata[key] = old.metadata.at(key);
    }
    write_checkpoint(folder / "again.safetensors", again);
    EXPECT_EQ(read_text(folder / "again.safetensors"), read_text(folder / name));
  }
}

TEST_P(OldRun, ContinuesAfterAnEpoch) {
  const auto backend = make_cpu_backend(2);
  expect_equal(trained_to_epoch_4(*backend), expected_after(kAfterAnEpoch));
}

TEST_P(OldRun, ContinuesWithinAnEpoch) {
  fs::remove(folder / kAfterAnEpoch);
  const auto backend = make_cpu_backend(2);
  expect_equal(trained_to_epoch_4(*backend), expected_after(kWithinAnEpoch));
}

TEST_P(OldRun, ContinuesInDoublePrecision) {
  fs::remove(folder / kAfterAnEpoch);
  const auto backend = make_reference_backend();
  expect_equal(trained_to_epoch_4(*backend), expected_after(kWithinAnEpoch));
}

TEST_P(OldRun, ContinuesAsWithDenseGradients) {
  if (!is_mf()) return;  // only mf had others
  const auto backend = make_cpu_backend(2);
  for (const char* state : {kAfterAnEpoch, kWithinAnEpoch}) {
    expect_equal(dense_after(state, *backend), expected_after(state));
  }
}

TEST_P(OldRun, BecomesComplete) {
  Run run = Run::resume(folder);
  EXPECT_FALSE(run.holds_data());
  const Dataset data = load_dataset(kFixtures / "data", run.config().data);
  run.check_data(data, "data");
  run.keep_data(data);
  EXPECT_FALSE(run.has_embeddings("best"));
  const auto backend = make_cpu_backend(2);
  const Graph train = backend->make_graph(data.train);
  const Triplets no_triplets;
  const auto model = make_model(*backend, train, no_triplets, run.config().model,
                                features_for(data, run.config().model).view());
  run.write_embeddings(*backend, *model);
  const Run opened = Run::open(folder);
  EXPECT_EQ(opened.read_embeddings("best").value().epoch, 2);
  const Dataset kept = opened.load_data();
  EXPECT_EQ(kept.train, data.train);
  EXPECT_EQ(kept.feature_fingerprint,
            GetParam() == std::string("gcmc") ? data.feature_fingerprint : 0);
}

INSTANTIATE_TEST_SUITE_P(Models, OldRun, ::testing::Values("mf", "lightgcn", "gcmc"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace tern::test
