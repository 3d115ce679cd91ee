// A run records training: its metrics and its checkpoints.

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "host/run/checkpoint.hpp"
#include "tests/run/run_fixture.hpp"

namespace tern::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Json = nlohmann::json;

TEST_F(RunTest, AppendsAnObjectAnEpoch) {
  Run run = create();
  EpochRecord record;
  record.epoch = 1;
  record.loss = 0.5;
  record.ranking_loss = 0.375;
  record.l2_loss = 0.125;
  record.seconds = 2.0;
  record.triplets_per_second = 50.0;
  run.append(record);
  record.epoch = 2;
  record.contrast_loss = 0.75;
  record.loss = std::nan("");
  record.ranking_loss = std::numeric_limits<double>::infinity();
  record.metrics = Metrics{{"recall@2", 0.25}, {"users", 2.0}};
  record.best = true;
  record.evaluation_seconds = 0.75;
  record.users.rows = 3;
  record.users.mean_norm = 1.5;
  record.items.effective_rank = 7.5;
  run.append(record);

  const std::string text = read_text(path / "metrics.jsonl");
  ASSERT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  EXPECT_EQ(text.back(), '\n');
  const auto end = text.find('\n');
  EXPECT_EQ(Json::parse(text.substr(0, end)), (Json{{"epoch", 1},
                                                    {"loss", 0.5},
                                                    {"bpr_loss", 0.375},
                                                    {"l2_loss", 0.125},
                                                    {"seconds", 2.0},
                                                    {"triplets_per_second", 50.0}}));
  const Json second = Json::parse(text.substr(end + 1));
  EXPECT_TRUE(second["loss"].is_null());
  EXPECT_TRUE(second["bpr_loss"].is_null());
  EXPECT_EQ(second["contrast_loss"], 0.75);
  EXPECT_EQ(second["recall@2"], 0.25);
  EXPECT_EQ(second["users"], 2.0);
  EXPECT_EQ(second["best"], true);
  EXPECT_EQ(second["evaluation_seconds"], 0.75);
  EXPECT_EQ(second["user_mean_norm"], 1.5);
  EXPECT_EQ(second["item_effective_rank"], 7.5);
  for (const char* side : {"user_", "item_"}) {
    for (const char* name : {"mean_norm", "max_norm", "mean_cosine", "min_column_deviation",
                             "max_column_deviation", "effective_rank"}) {
      EXPECT_TRUE(second.contains(std::string(side) + name)) << side << name;
    }
  }
}

TEST_F(RunTest, CheckpointsCarryTheirOrigin) {
  Run run = create();
  TensorFile parameters = some_parameters();
  parameters.metadata["note"] = "kept";
  run.write_best(parameters, 17, 17);
  TrainingState state = some_state(18, 3, 17);
  state.tensors["loss.user_thresholds"] = {{3, 1}, std::vector<float>(3, 0.25F)};
  run.write_state(state);
  EXPECT_THAT(names_in(path / "checkpoints"),
              ElementsAre("best-000017.safetensors", "epoch-000018-step-000003.safetensors"));
  const TensorFile file = Run::open(path).read_checkpoint("best");
  EXPECT_EQ(std::get<std::vector<float>>(file.tensors.at("user_embedding").values),
            (std::vector<float>{1.0F, 2.0F, 3.0F}));
  EXPECT_EQ(file.metadata.at("epoch"), "17");
  EXPECT_EQ(file.metadata.at("model"), "lightgcn");
  EXPECT_EQ(file.metadata.at("format_version"), "2");
  EXPECT_EQ(file.metadata.at("note"), "kept");
  EXPECT_EQ(file.metadata.at("config_hash").size(), 16u);
  EXPECT_EQ(file.metadata.at("data_fingerprint").size(), 16u);
  EXPECT_THAT(file.metadata.at("config"), HasSubstr("width = 8"));
  EXPECT_THAT(file.metadata.at("build"), HasSubstr("GCC"));
  // Only the model's part of a state.
  const TensorFile last = Run::open(path).read_checkpoint("last");
  EXPECT_EQ(last.metadata.at("epoch"), "18");
  EXPECT_EQ(last.tensors.size(), 1u);
  EXPECT_THROW(run.read_checkpoint("other"), Error);
}

TEST_F(RunTest, WithoutABestEpochTheNewestStateCounts) {
  Run run = create();
  EXPECT_THAT(complaint([&] { run.read_checkpoint("best"); }), HasSubstr("no checkpoint is there"));
  run.write_state(some_state(2));
  EXPECT_EQ(run.read_checkpoint("best").metadata.at("epoch"), "2");
  EXPECT_FALSE(run.has_best());
  run.write_best(some_parameters(), 1, 1);
  EXPECT_EQ(run.read_checkpoint("best").metadata.at("epoch"), "1");
  EXPECT_TRUE(run.has_best());
}

TEST_F(RunTest, TheConfigurationsHashFollowsTheConfiguration) {
  const auto hash = [](Run run) {
    run.write_best(some_parameters(), 1, 1);
    return run.read_checkpoint("best").metadata.at("config_hash");
  };
  const std::string first = hash(create());
  config.threads = 7;
  config.data_path = "/elsewhere";
  config.checkpoint.keep = 5;
  EXPECT_EQ(hash(create(Run::Overwrite::kYes)), first);
  config.l2 = 0.25;
  EXPECT_NE(hash(create(Run::Overwrite::kYes)), first);
}

TEST_F(RunTest, KeepsTheNewestStatesAndTheBestThatTheySpeakOf) {
  config.checkpoint.keep = 2;
  Run run = create();
  run.write_best(some_parameters(), 5, 5);
  run.write_state(some_state(6, 0, 5));
  run.write_best(some_parameters(), 10, 10);
  run.write_state(some_state(10, 0, 10));
  EXPECT_THAT(names_in(path / "checkpoints"),
              ElementsAre("best-000005.safetensors", "best-000010.safetensors",
                          "epoch-000006.safetensors", "epoch-000010.safetensors"));
  run.write_best(some_parameters(), 11, 11);
  run.write_best(some_parameters(), 12, 11);  // off the schedule: training continues with 11
  EXPECT_THAT(names_in(path / "checkpoints"),
              ElementsAre("best-000005.safetensors", "best-000010.safetensors",
                          "best-000011.safetensors", "best-000012.safetensors",
                          "epoch-000006.safetensors", "epoch-000010.safetensors"));
  EXPECT_EQ(run.read_checkpoint("best").metadata.at("epoch"), "12");
  run.write_best(some_parameters(), 13, 13);
  run.write_state(some_state(13, 4, 13));
  EXPECT_THAT(names_in(path / "checkpoints"),
              ElementsAre("best-000010.safetensors", "best-000013.safetensors",
                          "epoch-000010.safetensors", "epoch-000013-step-000004.safetensors"));
  EXPECT_EQ(run.read_checkpoint("last").metadata.at("step"), "4");
}

TEST_F(RunTest, TheBestIsWhatTheStateHasSelected) {
  Run run = create();
  run.write_best(some_parameters(), 2, 2);
  run.write_best(some_parameters(), 3, 2);  // after the last epoch, off the schedule
  TrainingState state = some_state(3, 0, 2);
  state.progress.selected_epoch = 3;
  run.write_state(state);
  EXPECT_EQ(run.read_checkpoint("best").metadata.at("epoch"), "3");
  // A longer training would not have evaluated epoch 3.
  run.forget_after({3, 0});
  EXPECT_THAT(names_in(path / "checkpoints"),
              ElementsAre("best-000002.safetensors", "epoch-000003.safetensors"));
  EXPECT_EQ(run.read_checkpoint("best").metadata.at("epoch"), "2");
  // A best file after the newest state belongs to the training in progress, until it is abandoned.
  run.write_best(some_parameters(), 5, 5);
  EXPECT_EQ(run.read_checkpoint("best").metadata.at("epoch"), "5");
  run.forget_after({3, 0});
  EXPECT_EQ(run.read_checkpoint("best").metadata.at("epoch"), "2");
  run.forget_after({0, 0});
  EXPECT_EQ(names_in(path / "checkpoints").size(), 1u);
}

TEST_F(RunTest, StatesOfATrainingThatWasGivenUpMakeWay) {
  Run run = create();
  for (const int epoch : {4, 8}) run.write_state(some_state(epoch));
  run.write_state(some_state(5));
  EXPECT_THAT(names_in(path / "checkpoints"),
              ElementsAre("epoch-000004.safetensors", "epoch-000005.safetensors",
                          "epoch-000008.safetensors.aside"));
  EXPECT_EQ(run.newest_state()->state.progress.epoch, 5);
  run.forget_after({4, 0});
  EXPECT_EQ(run.newest_state()->state.progress.epoch, 4);
  run.forget_after({});
  EXPECT_FALSE(run.newest_state().has_value());
}

TEST_F(RunTest, StatesWithinAnEpochAreOrderedByTheirSteps) {
  config.checkpoint.keep = 4;
  Run run = create();
  // As text, step 1000000 would come before step 999999.
  for (const std::int64_t step : {999'999, 1'000'000}) run.write_state(some_state(2, step));
  run.write_state(some_state(3));
  run.write_state(some_state(3, 7));
  const auto newest = [&](const std::optional<Run::Place>& before) {
    const TrainingProgress progress = run.newest_state(nullptr, before)->state.progress;
    return std::pair(progress.epoch, progress.step);
  };
  EXPECT_EQ(newest({}), std::pair(3, std::int64_t{7}));
  EXPECT_EQ(newest(Run::Place{3, 7}), std::pair(3, std::int64_t{0}));
  EXPECT_EQ(newest(Run::Place{3, 0}), std::pair(2, std::int64_t{1'000'000}));
  EXPECT_EQ(newest(Run::Place{2, 1'000'000}), std::pair(2, std::int64_t{999'999}));
  // Training continues from step 999999: later states of the same epoch are set aside.
  run.forget_after({2, 999'999});
  EXPECT_THAT(
      names_in(path / "checkpoints"),
      ElementsAre("epoch-000002-step-1000000.safetensors.aside",
                  "epoch-000002-step-999999.safetensors",
                  "epoch-000003-step-000007.safetensors.aside", "epoch-000003.safetensors.aside"));
}

TEST_F(RunTest, BestParametersOfLaterEpochsAreForgotten) {
  Run run = create();
  run.write_best(some_parameters(), 2, 2);
  run.write_state(some_state(3, 0, 2));
  run.write_best(some_parameters(), 5, 5);
  run.write_state(some_state(5, 0, 5));
  // Once the later state is set aside, no state has selected epoch 5.
  run.forget_after({3, 0});
  EXPECT_THAT(names_in(path / "checkpoints"),
              ElementsAre("best-000002.safetensors", "epoch-000003.safetensors",
                          "epoch-000005.safetensors.aside"));
  // Nor epoch 4, after which training was abandoned.
  run.write_best(some_parameters(), 4, 4);
  run.forget_after({3, 0});
  EXPECT_THAT(names_in(path / "checkpoints"),
              ElementsAre("best-000002.safetensors", "epoch-000003.safetensors",
                          "epoch-000005.safetensors.aside"));
}

TEST_F(RunTest, ALaterStateThatCannotBeSetAsideKeepsNoBestParameters) {
  Run run = create();
  run.write_best(some_parameters(), 2, 2);
  run.write_state(some_state(3, 0, 2));
  run.write_best(some_parameters(), 5, 5);
  run.write_state(some_state(5, 0, 5));
  fs::create_directory(path / "checkpoints/epoch-000005.safetensors.aside");
  run.forget_after({3, 0});
  EXPECT_THAT(names_in(path / "checkpoints"),
              ElementsAre("best-000002.safetensors", "epoch-000003.safetensors",
                          "epoch-000005.safetensors", "epoch-000005.safetensors.aside"));
}

TEST_F(RunTest, AStateThatCannotBeReadIsNoObstacle) {
  Run run = create();
  write_text(path / "checkpoints/epoch-000001.safetensors", "half");
  run.write_best(some_parameters(), 2, 2);
  run.write_state(some_state(2, 0, 2));
  run.forget_after({2, 0});
  EXPECT_THAT(names_in(path / "checkpoints"),
              ElementsAre("best-000002.safetensors", "epoch-000001.safetensors",
                          "epoch-000002.safetensors"));
  EXPECT_EQ(run.newest_state()->state.progress.epoch, 2);
}

TEST_F(RunTest, OverwritingRemovesCheckpointsAndNothingThatLooksLikeThem) {
  {
    Run run = create();
    run.write_best(some_parameters(), 2, 2);
    run.write_state(some_state(8, 0, 2));
    run.write_state(some_state(5, 3, 2));
    ASSERT_TRUE(fs::exists(path / "checkpoints/epoch-000008.safetensors.aside"));
  }
  const std::vector<std::string> mine{"best--00001.safetensors",
                                      "best-000001.safetensors.old",
                                      "epoch-.safetensors",
                                      "epoch-000001-step-.safetensors",
                                      "epoch-000001-step-2-3.safetensors",
                                      "epoch-000001.safetensorz",
                                      "epoch-000001.txt",
                                      "epoch-000001x.safetensors",
                                      "epoch-99999999999.safetensors"};
  for (const std::string& name : mine) write_text(path / "checkpoints" / name, "mine");
  const Run run = create(Run::Overwrite::kYes);
  EXPECT_EQ(names_in(path / "checkpoints"), mine);
  EXPECT_FALSE(run.newest_state().has_value());
}

TEST_F(RunTest, TheNewestWholeStateIsTakenUp) {
  config.checkpoint.keep = 3;
  Run run = create();
  EXPECT_FALSE(run.newest_state().has_value());
  for (const int epoch : {9, 10, 100}) run.write_state(some_state(epoch));
  EXPECT_EQ(run.newest_state()->state.progress.epoch, 100);
  const fs::path newest = path / "checkpoints/epoch-000100.safetensors";
  std::string bytes = read_text(newest);
  bytes[bytes.size() - 3] ^= 1;  // in a value
  write_text(newest, bytes);
  std::vector<std::string> damaged;
  const auto state = run.newest_state(&damaged);
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->state.progress.epoch, 10);
  EXPECT_EQ(state->state.tensors.size(), 2u);
  ASSERT_EQ(damaged.size(), 1u);
  EXPECT_THAT(damaged[0], HasSubstr("epoch-000100.safetensors"));
  EXPECT_TRUE(fs::exists(newest));  // in the way only once there is a newer one
  EXPECT_EQ(run.newest_state(&damaged, Run::Place{10, 0})->state.progress.epoch, 9);
  EXPECT_FALSE(run.newest_state(&damaged, Run::Place{9, 0}).has_value());
}

TEST_F(RunTest, WhatIsNoDamageIsNotTakenForIt) {
  Run run = create();
  for (const int epoch : {1, 2}) run.write_state(some_state(epoch));
  const fs::path newest = path / "checkpoints/epoch-000002.safetensors";
  TensorFile other = to_file(some_state(2));
  other.metadata["format_version"] = "77";
  write_checkpoint(newest, other);
  EXPECT_THAT(complaint([&] { run.newest_state(); }), HasSubstr("format_version is 77"));
  // A file that takes more memory than there is, most of it a hole.
  fs::resize_file(newest, std::uintmax_t{1} << 42);
  EXPECT_THROW(run.newest_state(), MemoryError);
}

TEST_F(RunTest, ForgetsEpochsAfterTheOneTakenUp) {
  Run run = create();
  for (int epoch = 1; epoch <= 4; ++epoch) {
    EpochRecord record;
    record.epoch = epoch;
    run.append(record);
  }
  write_text(path / "metrics.jsonl", read_text(path / "metrics.jsonl") + "{\"epoch\": 5, \"lo");
  run.forget_after({4, 0});
  const std::string four = read_text(path / "metrics.jsonl");
  EXPECT_EQ(std::count(four.begin(), four.end(), '\n'), 4);
  run.forget_after({2, 0});
  const std::string two = read_text(path / "metrics.jsonl");
  EXPECT_EQ(two, four.substr(0, two.size()));
  EXPECT_EQ(std::count(two.begin(), two.end(), '\n'), 2);
  run.forget_after({0, 0});
  EXPECT_EQ(read_text(path / "metrics.jsonl"), "");
}

TEST_F(RunTest, NamesADamagedCheckpoint) {
  Run run = create();
  const fs::path file = path / "checkpoints/epoch-000001.safetensors";
  const auto read_last = [&] { run.read_checkpoint("last"); };
  run.write_state(some_state(1));
  const std::string whole = read_text(file);
  for (const std::size_t size : {std::size_t{0}, std::size_t{7}, whole.size() - 1}) {
    write_text(file, whole.substr(0, size));
    EXPECT_THAT(complaint(read_last), HasSubstr("epoch-000001.safetensors")) << size;
  }
  write_checkpoint(file, some_parameters());
  EXPECT_THAT(complaint(read_last), HasSubstr("metadata: format_version is missing"));
  config.model.kind = ModelKind::kMatrixFactorization;
  Run other = Run::create(folder / "runs/second", config, data);
  other.write_state(some_state(1));
  fs::copy_file(folder / "runs/second/checkpoints/epoch-000001.safetensors", file,
                fs::copy_options::overwrite_existing);
  EXPECT_THAT(complaint(read_last), HasSubstr("metadata: model is mf, expected lightgcn"));
}

}  // namespace
}  // namespace tern::test
