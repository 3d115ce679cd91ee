#include "tern/run.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>

#include "tern/error.hpp"
#include "tests/train/planted.hpp"

namespace tern::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using Json = nlohmann::json;

void write(const fs::path& file, const std::string& text) {
  std::ofstream(file, std::ios::binary) << text;
}

std::string read(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// A small data set on disk, and a place for a run beside it.
class RunTest : public ::testing::Test {
 protected:
  using Run = tern::Run;  // not googletest's

  RunTest() {
    fs::remove_all(folder);
    fs::create_directories(folder / "data");
    write(folder / "data/train.txt", "0 0 1 2\n1 1 2\n2 0\n");
    write(folder / "data/valid.txt", "0 3\n1 0\n");
    write(folder / "data/test.txt", "1 3\n2 1\n");
    config.data_path = (folder / "data").string();
    config.evaluation.ks = {2};
    config.metric = "recall@2";
    data = load_dataset(config.data_path, config.data);
  }
  ~RunTest() override { fs::remove_all(folder); }

  Run create(Run::Overwrite overwrite = Run::Overwrite::kNo) {
    return Run::create(path, config, data, overwrite);
  }

  /// What a DataError of work() says; it must name a place within the folder.
  template <typename Work>
  std::string complaint(Work work) const {
    try {
      work();
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(), HasSubstr(folder.string()));
      return error.what();
    }
    return "no complaint";
  }
  std::string open_complaint() const {
    return complaint([&] { Run::open(path); });
  }

  const fs::path folder =
      fs::temp_directory_path() /
      (std::string("tern_run_") + ::testing::UnitTest::GetInstance()->current_test_info()->name());
  const fs::path path = folder / "runs/first";
  Config config = planted_config();
  Dataset data;
};

TensorFile some_parameters() {
  TensorFile file;
  file.tensors["user_embedding"] = {{3, 1}, std::vector<float>{1.0F, 2.0F, 3.0F}};
  return file;
}

TEST_F(RunTest, OpensAsItWasCreated) {
  const Run made = create();
  EXPECT_EQ(made.path(), path);
  const Run opened = Run::open(path);
  EXPECT_EQ(write_config(opened.config()), write_config(config));
  EXPECT_EQ(opened.config().model.width, 8);
  EXPECT_EQ(read(path / "users.tsv"), "0\n1\n2\n");
  EXPECT_EQ(read(path / "items.tsv"), "0\n1\n2\n3\n");
  EXPECT_EQ(opened.load_data().fingerprint, data.fingerprint);
  EXPECT_EQ(opened.load_data().train, data.train);
}

TEST_F(RunTest, RemembersWhereTheDataIsFromAnywhere) {
  config.data_path = fs::relative(folder / "data").string();
  ASSERT_FALSE(fs::path(config.data_path).is_absolute());
  create();
  EXPECT_EQ(fs::path(Run::open(path).config().data_path), folder / "data");
}

TEST_F(RunTest, AppendsAnObjectAnEpoch) {
  Run run = create();
  EpochRecord record;
  record.epoch = 1;
  record.loss = 0.5;
  record.bpr_loss = 0.375;
  record.l2_loss = 0.125;
  record.seconds = 2.0;
  record.triplets_per_second = 50.0;
  run.append(record);
  record.epoch = 2;
  record.loss = std::nan("");
  record.bpr_loss = std::numeric_limits<double>::infinity();
  record.metrics = Metrics{{"recall@2", 0.25}, {"users", 2.0}};
  record.best = true;
  record.evaluation_seconds = 0.75;
  record.users.rows = 3;
  record.users.mean_norm = 1.5;
  record.items.effective_rank = 7.5;
  run.append(record);

  const std::string text = read(path / "metrics.jsonl");
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
  run.write_checkpoint("best", parameters, 17);
  const TensorFile file = Run::open(path).read_checkpoint("best");
  EXPECT_EQ(std::get<std::vector<float>>(file.tensors.at("user_embedding").values),
            (std::vector<float>{1.0F, 2.0F, 3.0F}));
  EXPECT_EQ(file.metadata.at("epoch"), "17");
  EXPECT_EQ(file.metadata.at("model"), "lightgcn");
  EXPECT_EQ(file.metadata.at("format_version"), "1");
  EXPECT_EQ(file.metadata.at("note"), "kept");
  EXPECT_EQ(file.metadata.at("config_hash").size(), 16u);
  EXPECT_EQ(file.metadata.at("data_fingerprint").size(), 16u);
  EXPECT_THROW(run.write_checkpoint("../best", parameters, 1), Error);
  EXPECT_THROW(run.read_checkpoint("other"), Error);
}

TEST_F(RunTest, TheConfigurationsHashFollowsTheConfiguration) {
  Run run = create();
  run.write_checkpoint("last", some_parameters(), 1);
  const std::string first = run.read_checkpoint("last").metadata.at("config_hash");
  config.threads = 7;
  config.data_path = "/elsewhere";
  Run same = create(Run::Overwrite::kYes);
  same.write_checkpoint("last", some_parameters(), 1);
  EXPECT_EQ(same.read_checkpoint("last").metadata.at("config_hash"), first);
  config.l2 = 0.25;
  Run other = create(Run::Overwrite::kYes);
  other.write_checkpoint("last", some_parameters(), 1);
  EXPECT_NE(other.read_checkpoint("last").metadata.at("config_hash"), first);
}

TEST_F(RunTest, DoesNotReplaceARunUnlessAsked) {
  Run first = create();
  first.append({});
  first.write_checkpoint("best", some_parameters(), 1);
  write(path / "notes.txt", "mine");
  EXPECT_THROW(create(), Error);
  EXPECT_TRUE(fs::exists(path / "metrics.jsonl"));

  config.l2 = 0.25;
  create(Run::Overwrite::kYes);
  EXPECT_EQ(Run::open(path).config().l2, 0.25);
  EXPECT_FALSE(fs::exists(path / "metrics.jsonl"));
  EXPECT_FALSE(fs::exists(path / "checkpoints/best.safetensors"));
  EXPECT_EQ(read(path / "notes.txt"), "mine");  // what is not a run's stays
}

TEST_F(RunTest, MakesARunInADirectoryThatIsThere) {
  fs::create_directories(path);
  write(path / "notes.txt", "mine");
  create();
  EXPECT_EQ(Run::open(path).config().l2, config.l2);
}

TEST_F(RunTest, CannotBeMadeWhereAFileIs) {
  fs::create_directories(path.parent_path());
  write(path, "a file");
  EXPECT_THROW(create(), Error);
  EXPECT_EQ(read(path), "a file");
}

TEST_F(RunTest, NamesWhatIsMissing) {
  EXPECT_THAT(open_complaint(), HasSubstr("is not a directory"));
  for (const char* name : {"run.json", "config.toml", "users.tsv", "items.tsv"}) {
    create(Run::Overwrite::kYes);
    fs::remove(path / name);
    EXPECT_THAT(open_complaint(), HasSubstr(std::string("it has no ") + name));
  }
}

TEST_F(RunTest, NamesADamagedManifest) {
  create();
  const std::pair<const char*, const char*> cases[] = {
      {"", "not a JSON object"},
      {"{\"format_ver", "not a JSON object"},
      {"[1, 2]", "not a JSON object"},
      {"\xff\xfe", "not a JSON object"},
      {"{}", "no integer format_version"},
      {"{\"format_version\": \"1\"}", "no integer format_version"},
      {"{\"format_version\": 2}", "is of format version 2, this build reads version 1"},
      {"{\"format_version\": 1}", "no data_fingerprint"},
      {"{\"format_version\": 1, \"data_fingerprint\": 7}", "no data_fingerprint"},
      {"{\"format_version\": 1, \"data_fingerprint\": \"12\"}", "16 hexadecimal digits"},
      {"{\"format_version\": 1, \"data_fingerprint\": \"0123456789abcdeg\"}",
       "16 hexadecimal digits"},
  };
  for (const auto& [text, expected] : cases) {
    write(path / "run.json", text);
    EXPECT_THAT(open_complaint(), HasSubstr(expected)) << text;
  }
  write(path / "run.json", std::string(2 << 20, '['));
  EXPECT_THAT(open_complaint(), HasSubstr("expected at most"));
}

TEST_F(RunTest, NamesADamagedConfiguration) {
  create();
  for (const char* text : {"[train\n", "[train]\nepochs = \"many\"\n", "nonsense = 1\n"}) {
    write(path / "config.toml", text);
    EXPECT_THAT(open_complaint(), HasSubstr("config.toml")) << text;
  }
}

TEST_F(RunTest, NamesADamagedCheckpoint) {
  Run run = create();
  const fs::path file = path / "checkpoints/last.safetensors";
  const auto read_last = [&] { run.read_checkpoint("last"); };
  EXPECT_THAT(complaint(read_last), HasSubstr("last.safetensors"));
  run.write_checkpoint("last", some_parameters(), 1);
  const std::string whole = read(file);
  for (const std::size_t size : {std::size_t{0}, std::size_t{7}, whole.size() - 1}) {
    write(file, whole.substr(0, size));
    EXPECT_THAT(complaint(read_last), HasSubstr("last.safetensors")) << size;
  }
  write_safetensors(file, some_parameters());
  EXPECT_THAT(complaint(read_last), HasSubstr("its metadata has no format_version"));
  config.model.kind = ModelKind::kMatrixFactorization;
  Run other = Run::create(folder / "runs/second", config, data);
  other.write_checkpoint("last", some_parameters(), 1);
  fs::copy_file(folder / "runs/second/checkpoints/last.safetensors", file,
                fs::copy_options::overwrite_existing);
  EXPECT_THAT(complaint(read_last), HasSubstr("its metadata says model mf, expected lightgcn"));
}

TEST_F(RunTest, NoticesOtherData) {
  Run run = create();
  run.write_checkpoint("last", some_parameters(), 1);
  write(folder / "data/train.txt", "0 0 1 2\n1 1 2\n2 0 3\n");
  EXPECT_THAT(complaint([&] { run.load_data(); }), HasSubstr("has changed since the run"));

  data = load_dataset(config.data_path, config.data);
  Run other = Run::create(folder / "runs/second", config, data);
  fs::copy_file(path / "checkpoints/last.safetensors",
                folder / "runs/second/checkpoints/last.safetensors");
  EXPECT_THAT(complaint([&] { other.read_checkpoint("last"); }),
              HasSubstr("its metadata says data_fingerprint"));
  fs::remove_all(folder / "data");
  EXPECT_NE(complaint([&] { other.load_data(); }), "no complaint");
}

TEST_F(RunTest, NoticesOtherFeaturesWhereTheModelReadsThem) {
  const auto write_features = [&](const char* value) {
    write(folder / "data/item_features.tsv", std::string("item\tsize\n0\t") + value + "\n1\t2\n");
  };
  write_features("1");
  data = load_dataset(config.data_path, config.data);
  const Run of_ids = create();
  config.model.kind = ModelKind::kGcMc;
  const Run of_features = Run::create(folder / "runs/second", config, data);
  config.model.inputs = InputKind::kIds;
  const Run unread = Run::create(folder / "runs/third", config, data);
  EXPECT_EQ(of_features.load_data().feature_fingerprint, data.feature_fingerprint);
  write_features("3");
  EXPECT_THAT(complaint([&] { of_features.load_data(); }), HasSubstr("has changed since the run"));
  EXPECT_THAT(complaint([&] { Run::open(folder / "runs/second").load_data(); }),
              HasSubstr("has changed since the run"));
  of_ids.load_data();
  unread.load_data();
  fs::remove(folder / "data/item_features.tsv");
  EXPECT_THAT(complaint([&] { of_features.load_data(); }), HasSubstr("has changed since the run"));
}

TEST_F(RunTest, NoticesOtherNames) {
  const Run run = create();
  write(path / "users.tsv", "0\n1\n");
  EXPECT_THAT(complaint([&] { run.load_data(); }), HasSubstr("has 2 names, but the data has 3"));
  write(path / "users.tsv", "0\n1\n2\n");
  write(path / "items.tsv", "0\nx\n2\n3\n");
  EXPECT_THAT(complaint([&] { run.load_data(); }),
              HasSubstr("items.tsv:2: is \"x\", but the data has \"1\" in its place"));
}

}  // namespace
}  // namespace tern::test
