// The files for TensorBoard, read by a reader of our own. tests/python/test_tensorboard.py reads them with
// TensorBoard's.

#include <limits>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "host/run/event_file.hpp"
#include "host/run/projector.hpp"
#include "tests/run/event_reader.hpp"
#include "tests/run/run_fixture.hpp"

namespace tern::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Points = std::map<std::int64_t, float>;

class TensorBoard : public RunTest {
 protected:
  TensorBoard() { config.log.tensorboard = Switch::kOn; }

  std::vector<std::string> event_files() const {
    std::vector<std::string> names;
    if (!fs::exists(path / "tensorboard")) return names;
    for (std::string& name : names_in(path / "tensorboard")) {
      if (name.starts_with("events.out.tfevents.")) names.push_back(std::move(name));
    }
    return names;
  }
  Events events() const {
    Events all;
    for (const std::string& name : event_files()) all.read(read_text(path / "tensorboard" / name));
    return all;
  }
  static void append(Run& run, int first, int last, double loss = 0.5) {
    for (int epoch = first; epoch <= last; ++epoch) {
      EpochRecord record;
      record.epoch = epoch;
      record.loss = loss / epoch;
      run.append(record);
    }
  }
};

TEST(EventFile, BeginsAsTensorFlowsFilesDo) {
  const std::string version = events::file_version(1.5);
  EXPECT_EQ(version.substr(0, 12), std::string("\x18\0\0\0\0\0\0\0\xA3\x7F\x4B\x22", 12));
  EXPECT_EQ(version.substr(12, 24),
            std::string("\x09\0\0\0\0\0\0\xF8\x3F\x1A\x0D", 11) + "brain.Event:2");
  EXPECT_THAT(version, SizeIs(12 + 24 + 4));
}

TEST_F(TensorBoard, HasEachNumberOfAnEpoch) {
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
  record.loss = std::numeric_limits<double>::infinity();
  record.contrast_loss = 0.75;
  record.metrics = Metrics{{"recall@2", 0.25}};
  record.users.rows = 3;
  record.users.mean_norm = 1.5;
  record.item_gradient_norm = 0.0625;
  record.collapse = {"the first sign", "the second sign"};
  run.append(record);

  const Events found = events();
  EXPECT_THAT(event_files(), SizeIs(1));
  EXPECT_THAT(found.restarts, IsEmpty());
  const auto curve = [&](const char* tag) { return found.scalars.at(tag); };
  EXPECT_EQ(curve("loss/loss"), (Points{{1, 0.5F}}));  // not the infinite one
  EXPECT_EQ(curve("loss/bpr_loss"), (Points{{1, 0.375F}, {2, 0.375F}}));
  EXPECT_EQ(curve("loss/l2_loss"), (Points{{1, 0.125F}, {2, 0.125F}}));
  EXPECT_EQ(curve("loss/contrast_loss"), (Points{{2, 0.75F}}));
  EXPECT_EQ(curve("speed/seconds"), (Points{{1, 2.0F}, {2, 2.0F}}));
  EXPECT_EQ(curve("speed/triplets_per_second"), (Points{{1, 50.0F}, {2, 50.0F}}));
  EXPECT_EQ(curve("metrics/recall@2"), (Points{{2, 0.25F}}));
  EXPECT_EQ(curve("monitors/user_mean_norm"), (Points{{2, 1.5F}}));
  EXPECT_EQ(curve("monitors/item_gradient_norm"), (Points{{2, 0.0625F}}));
  EXPECT_EQ(found.scalars.count("metrics/best"), 0u);
  EXPECT_EQ(found.texts.at("collapse"), "- the first sign\n- the second sign\n");
}

TEST_F(TensorBoard, HasTheConfiguration) {
  config.model.width = 24;
  config.l2 = 0.25;
  Run run = create();
  append(run, 1, 1);
  const Events found = events();
  EXPECT_THAT(found.texts.at("configuration"), HasSubstr("[model]"));
  EXPECT_THAT(found.hyperparameters, SizeIs(config_keys().size()));
  EXPECT_EQ(found.hyperparameters.at("model.width"), "24.000000");
  EXPECT_EQ(found.hyperparameters.at("loss.l2"), "0.250000");
  EXPECT_EQ(found.hyperparameters.at("loss.kind"), "bpr");
  EXPECT_EQ(found.hyperparameters.at("log.tensorboard"), "true");
  EXPECT_EQ(found.hyperparameters.at("evaluation.ks"), "[2]");
}

TEST_F(TensorBoard, IsOffByDefault) {
  config.log.tensorboard = Switch::kOff;
  Run run = create();
  append(run, 1, 2);
  run.write_embeddings(
      FinalEmbeddings{{{3, 1}, std::vector<float>(3)}, {{4, 1}, std::vector<float>(4)}});
  run.write_projector();
  EXPECT_FALSE(fs::exists(path / "tensorboard"));
}

TEST_F(TensorBoard, AResumedRunBeginsAFileThatReplacesLaterEpochs) {
  {
    Run run = create();
    append(run, 1, 5);
  }
  Run run = Run::resume(path);
  run.forget_after({3, 0});
  EXPECT_THAT(event_files(), SizeIs(1));  // until there is an epoch
  append(run, 4, 4, 8.0);
  EXPECT_THAT(event_files(), SizeIs(2));
  const Events found = events();
  EXPECT_THAT(found.restarts, ElementsAre(4));
  EXPECT_EQ(found.scalars.at("loss/loss"),
            (Points{{1, 0.5F}, {2, 0.25F}, {3, static_cast<float>(0.5 / 3)}, {4, 2.0F}}));

  // So does a return to an earlier epoch in the same process.
  run.forget_after({1, 7});
  append(run, 2, 2, 4.0);
  EXPECT_THAT(event_files(), SizeIs(3));
  EXPECT_EQ(events().scalars.at("loss/loss"), (Points{{1, 0.5F}, {2, 2.0F}}));
}

TEST_F(TensorBoard, ALogThatIsRemovedBeginsAnew) {
  Run run = create();
  append(run, 1, 2);
  fs::remove_all(path / "tensorboard");
  append(run, 3, 3);
  EXPECT_EQ(events().scalars.at("loss/loss"),
            (Points{{1, 0.5F}, {2, 0.25F}, {3, static_cast<float>(0.5 / 3)}}));
}

TEST_F(TensorBoard, FilesStayInOrderIfTheClockIsSetBack) {
  Run run = create();
  fs::create_directories(path / "tensorboard");
  write_text(path / "tensorboard/events.out.tfevents.9000000000.000001.tern", "");
  append(run, 1, 1);
  EXPECT_THAT(event_files(), ElementsAre("events.out.tfevents.9000000000.000001.tern",
                                         "events.out.tfevents.9000000000.000002.tern"));
}

TEST_F(TensorBoard, ALateLogHasTheEpochsBefore) {
  config.log.tensorboard = Switch::kOff;
  {
    Run run = create();
    append(run, 1, 3);
  }
  config.log.tensorboard = Switch::kOn;
  Run run = Run::resume(path);
  run.forget_after({2, 0});
  run.set_config(config);
  append(run, 3, 4);
  EXPECT_EQ(events().scalars.at("loss/loss"),
            (Points{{1, 0.5F}, {2, 0.25F}, {3, static_cast<float>(0.5 / 3)}, {4, 0.125F}}));
}

TEST_F(TensorBoard, ProjectsTheBusiestNodes) {
  Run run = create();
  run.write_projector();  // no embeddings yet
  run.write_embeddings(
      FinalEmbeddings{{{3, 2}, std::vector<float>{1, 2, 3, 4, 5, 6}},
                      {{4, 2}, std::vector<double>{0.5, 1e-9, 1, 1, -2, 2, 3, 3}}});
  run.write_projector();
  const auto file = [&](const char* name) { return read_text(path / "tensorboard" / name); };
  EXPECT_EQ(file("user_metadata.tsv"), "id\tinteractions\n0\t3\n1\t2\n2\t1\n");
  EXPECT_EQ(file("user_embeddings.tsv"), "1\t2\n3\t4\n5\t6\n");
  // Of two items with as many interactions, the first one comes first.
  EXPECT_EQ(file("item_metadata.tsv"), "id\tinteractions\n0\t2\n1\t2\n2\t2\n3\t0\n");
  EXPECT_EQ(file("item_embeddings.tsv"), "0.5\t1e-09\n1\t1\n-2\t2\n3\t3\n");
  EXPECT_EQ(file("projector_config.pbtxt"),
            "embeddings {\n  tensor_name: \"users\"\n  tensor_path: \"user_embeddings.tsv\"\n"
            "  metadata_path: \"user_metadata.tsv\"\n}\n"
            "embeddings {\n  tensor_name: \"items\"\n  tensor_path: \"item_embeddings.tsv\"\n"
            "  metadata_path: \"item_metadata.tsv\"\n}\n");
}

TEST_F(TensorBoard, ProjectsNoMoreNodesThanABrowserDraws) {
  // One user with all items, and one with the second half of them.
  constexpr NodeId kItems = kMaxProjectedNodes + 500;
  std::string lists = "0";
  for (NodeId item = 0; item < kItems; ++item) lists += " " + std::to_string(item);
  lists += "\n1";
  for (NodeId item = kItems / 2; item < kItems; ++item) lists += " " + std::to_string(item);
  write_text(folder / "data/train.txt", lists + "\n");
  write_text(folder / "data/valid.txt", "1 0\n");
  write_text(folder / "data/test.txt", "1 1\n");
  data = load_dataset(config.data_path, config.data);
  std::vector<float> numbers(static_cast<std::size_t>(kItems));
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i);
  Run run = create();
  run.write_embeddings(FinalEmbeddings{{{2, 1}, std::vector<float>(2)}, {{kItems, 1}, numbers}});
  run.write_projector();
  std::istringstream rows(read_text(path / "tensorboard/item_embeddings.tsv"));
  std::vector<NodeId> items;
  for (NodeId item = 0; rows >> item;) items.push_back(item);
  ASSERT_THAT(items, SizeIs(kMaxProjectedNodes));
  EXPECT_EQ(items.front(), kItems / 2);  // the first of those with two interactions
  EXPECT_EQ(items.back(), kMaxProjectedNodes - kItems / 2 - 1);
}

TEST_F(TensorBoard, IsRemovedWithItsRunAlone) {
  {
    Run run = create();
    append(run, 1, 2);
  }
  write_text(path / "tensorboard/events.out.tfevents.1.another", "mine");
  create(Run::Overwrite::kYes);
  EXPECT_THAT(names_in(path / "tensorboard"), ElementsAre("events.out.tfevents.1.another"));
  fs::remove(path / "tensorboard/events.out.tfevents.1.another");
  {
    Run run = Run::resume(path);
    append(run, 1, 1);
  }
  create(Run::Overwrite::kYes);
  EXPECT_FALSE(fs::exists(path / "tensorboard"));

  // A directory that is no run's is refused.
  fs::remove_all(path);
  fs::create_directories(path / "tensorboard");
  write_text(path / "tensorboard/projector_config.pbtxt", "mine");
  EXPECT_THROW(create(), Error);
  EXPECT_EQ(read_text(path / "tensorboard/projector_config.pbtxt"), "mine");
}

}  // namespace
}  // namespace tern::test
