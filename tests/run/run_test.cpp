#include "tern/run.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <optional>

#include "host/run/checkpoint.hpp"
#include "tests/run/run_fixture.hpp"

namespace tern::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST_F(RunTest, OpensAsItWasCreated) {
  const Run made = create();
  EXPECT_EQ(made.path(), path);
  const Run opened = Run::open(path);
  EXPECT_EQ(write_config(opened.config()), write_config(config));
  EXPECT_EQ(opened.config().model.width, 8);
  EXPECT_EQ(read_text(path / "users.tsv"), "0\n1\n2\n");
  EXPECT_EQ(read_text(path / "items.tsv"), "0\n1\n2\n3\n");
  EXPECT_EQ(opened.load_data().fingerprint, data.fingerprint);
  EXPECT_EQ(opened.load_data().train, data.train);
}

TEST_F(RunTest, RemembersWhereTheDataIsFromAnywhere) {
  config.data_path = fs::relative(folder / "data").string();
  ASSERT_FALSE(fs::path(config.data_path).is_absolute());
  create();
  EXPECT_EQ(fs::path(Run::open(path).config().data_path), folder / "data");
}

TEST_F(RunTest, OneProcessAtATimeWrites) {
  std::optional<Run> first = create();
  try {
    Run::resume(path);
    FAIL() << "two hold the lock";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("is in use by process " + std::to_string(::getpid())));
  }
  EXPECT_THROW(create(Run::Overwrite::kYes), Error);
  EXPECT_EQ(Run::open(path).config().l2, config.l2);  // reading needs none
  first.reset();
  Run::resume(path);
  create(Run::Overwrite::kYes);
}

TEST_F(RunTest, ResumingRemovesWhatAKilledProcessLeft) {
  create();
  write_text(path / "checkpoints/epoch-000003.safetensors.0123abcd.tmp", "half");
  write_text(path / "config.toml.89abcdef.tmp", "half");
  write_text(path / "mine.tmp", "mine");
  Run::resume(path);
  EXPECT_TRUE(names_in(path / "checkpoints").empty());
  EXPECT_FALSE(fs::exists(path / "config.toml.89abcdef.tmp"));
  EXPECT_TRUE(fs::exists(path / "mine.tmp"));
}

TEST_F(RunTest, ARunThatWasNeverWholeIsMadeAnew) {
  create();
  fs::remove(path / "run.json");  // killed before the manifest
  EXPECT_THROW(create(), Error);  // these files could be anybody's
  write_text(path / ".tern.begun", "");
  EXPECT_FALSE(Run::is_run(path));
  create();
  EXPECT_TRUE(Run::is_run(path));
}

TEST_F(RunTest, MakesNoRunAmongOtherFilesOfItsNames) {
  fs::create_directories(path);
  write_text(path / "users.tsv", "mine");
  for (const auto overwrite : {Run::Overwrite::kNo, Run::Overwrite::kYes}) {
    try {
      create(overwrite);
      FAIL() << "replaced a foreign file";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("it has a users.tsv"));
    }
  }
  EXPECT_EQ(read_text(path / "users.tsv"), "mine");
  EXPECT_THAT(names_in(path), ElementsAre("users.tsv"));
}

TEST_F(RunTest, DoesNotReplaceARunUnlessAsked) {
  Run first = create();
  first.append({});
  first.write_best(some_parameters(), 1, 1);
  write_text(path / "notes.txt", "mine");
  EXPECT_THROW(create(), Error);
  EXPECT_TRUE(fs::exists(path / "metrics.jsonl"));

  config.l2 = 0.25;
  { const Run released = std::move(first); }
  try {
    create();
    FAIL() << "replaced a run";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("holds a run already: --resume it, --overwrite it, or"));
  }
  create(Run::Overwrite::kYes);
  EXPECT_EQ(Run::open(path).config().l2, 0.25);
  EXPECT_FALSE(fs::exists(path / "metrics.jsonl"));
  EXPECT_TRUE(names_in(path / "checkpoints").empty());
  EXPECT_EQ(read_text(path / "notes.txt"), "mine");  // files of others stay
}

TEST_F(RunTest, MakesARunInADirectoryThatIsThere) {
  fs::create_directories(path);
  write_text(path / "notes.txt", "mine");
  create();
  EXPECT_EQ(Run::open(path).config().l2, config.l2);
}

TEST_F(RunTest, CannotBeMadeWhereAFileIs) {
  fs::create_directories(path.parent_path());
  write_text(path, "a file");
  EXPECT_THROW(create(), Error);
  EXPECT_EQ(read_text(path), "a file");
}

TEST_F(RunTest, NamesWhatIsMissing) {
  EXPECT_THAT(open_complaint(), HasSubstr("not a directory, expected"));
  for (const char* name : {"run.json", "config.toml", "users.tsv", "items.tsv"}) {
    fs::remove_all(path);
    create();
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
      {"{\"format_version\": 1}", "format_version: found 1, but this build reads 2"},
      {"{\"format_version\": 2}", "no data_fingerprint"},
      {"{\"format_version\": 2, \"data_fingerprint\": 7}", "no data_fingerprint"},
      {"{\"format_version\": 2, \"data_fingerprint\": \"12\"}", "16 hexadecimal digits"},
      {"{\"format_version\": 2, \"data_fingerprint\": \"0123456789abcdeg\"}",
       "16 hexadecimal digits"},
      {"{\"format_version\": 2, \"data_fingerprint\": \"0123456789abcdef\"}", "no count of users"},
      {"{\"format_version\": 2, \"data_fingerprint\": \"0123456789abcdef\", \"users\": -1}",
       "no count of users"},
  };
  for (const auto& [text, expected] : cases) {
    write_text(path / "run.json", text);
    EXPECT_THAT(open_complaint(), HasSubstr(expected)) << text;
  }
  write_text(path / "run.json", std::string(2 << 20, '['));
  EXPECT_THAT(open_complaint(), HasSubstr("longer than 1048576 bytes"));
}

TEST_F(RunTest, NamesADamagedConfiguration) {
  create();
  for (const char* text : {"[train\n", "[train]\nepochs = \"many\"\n", "nonsense = 1\n"}) {
    write_text(path / "config.toml", text);
    EXPECT_THAT(open_complaint(), HasSubstr("config.toml")) << text;
  }
}

TEST_F(RunTest, NoticesOtherData) {
  Run run = create();
  run.write_state(some_state(1));
  const auto check = [&] {
    return complaint([&] { run.check_data(load_dataset(config.data_path), config.data_path); });
  };
  EXPECT_EQ(check(), "no complaint");
  write_text(folder / "data/train.txt", "0 0 1 2\n1 1 2\n2 0 3\n");
  EXPECT_THAT(check(),
              AllOf(HasSubstr("has changed since the run"), HasSubstr("found 3 users"),
                    HasSubstr("7 + 2 + 2 interactions"), HasSubstr("6 + 2 + 2 interactions")));
  write_text(folder / "data/train.txt", "0 0 1 2\n1 1 2\n2 3\n");
  EXPECT_THAT(check(), HasSubstr("as many, but not the same"));

  data = load_dataset(config.data_path, config.data);
  const Run other = Run::create(folder / "runs/second", config, data);
  fs::copy_file(path / "checkpoints/epoch-000001.safetensors",
                folder / "runs/second/checkpoints/epoch-000001.safetensors");
  EXPECT_THAT(complaint([&] { other.read_checkpoint("last"); }),
              HasSubstr("metadata: data_fingerprint is"));
}

TEST_F(RunTest, NoticesOtherFeaturesWhereTheModelReadsThem) {
  const auto write_features = [&](const char* value) {
    write_text(folder / "data/item_features.tsv",
               std::string("item\tsize\n0\t") + value + "\n1\t2\n");
  };
  write_features("1");
  data = load_dataset(config.data_path, config.data);
  const Run of_ids = create();
  config.model.kind = ModelKind::kGcMc;
  const Run of_features = Run::create(folder / "runs/second", config, data);
  config.model.inputs = InputKind::kIds;
  const Run unread = Run::create(folder / "runs/third", config, data);
  const auto check = [&](const Run& run) {
    return complaint([&] { run.check_data(load_dataset(config.data_path), config.data_path); });
  };
  EXPECT_EQ(check(of_features), "no complaint");
  write_features("3");
  EXPECT_THAT(check(of_features), HasSubstr("has changed since the run"));
  EXPECT_THAT(check(Run::open(folder / "runs/second")), HasSubstr("has changed since the run"));
  EXPECT_EQ(check(of_ids), "no complaint");
  EXPECT_EQ(check(unread), "no complaint");
  fs::remove(folder / "data/item_features.tsv");
  EXPECT_THAT(check(of_features), HasSubstr("has changed since the run"));
}

TEST_F(RunTest, NoticesOtherNames) {
  const Run run = create();
  const auto check = [&] { return complaint([&] { run.check_data(data, config.data_path); }); };
  write_text(path / "users.tsv", "0\n1\n");
  EXPECT_THAT(check(), HasSubstr("found 2 names, but the data has 3"));
  write_text(path / "users.tsv", "0\n1\n2\n");
  write_text(path / "items.tsv", "0\nx\n2\n3\n");
  EXPECT_THAT(check(), HasSubstr("items.tsv:2: found \"x\", but the data has \"1\" in its place"));
}

TEST_F(RunTest, StrangersFilesStay) {
  // Checkpoints of another program, under the names of ours.
  for (const char* name : {"checkpoints/epoch-10.safetensors", "checkpoints/best-3.safetensors"}) {
    fs::remove_all(path);
    fs::create_directories(path / "checkpoints");
    write_text(path / name, "mine");
    write_text(path / "notes.deadbeef.tmp", "mine");
    for (const auto overwrite : {Run::Overwrite::kNo, Run::Overwrite::kYes}) {
      EXPECT_THROW(create(overwrite), Error);
    }
    EXPECT_EQ(read_text(path / name), "mine");
  }
  fs::remove_all(path / "checkpoints");
  create();
  EXPECT_EQ(read_text(path / "notes.deadbeef.tmp"), "mine");
}

TEST_F(RunTest, ALockAloneIsNoRunOfOurs) {
  fs::create_directories(path);
  write_text(path / ".tern.lock", "");
  write_text(path / "config.toml", "mine");
  EXPECT_THROW(create(), Error);
  EXPECT_EQ(read_text(path / "config.toml"), "mine");
}

TEST_F(RunTest, ALockIsNeverWrittenThroughALink) {
  create();
  write_text(folder / "victim", "mine");
  fs::remove(path / ".tern.lock");
  fs::create_symlink(folder / "victim", path / ".tern.lock");
  EXPECT_THROW(Run::resume(path), Error);
  EXPECT_EQ(read_text(folder / "victim"), "mine");
}

}  // namespace
}  // namespace tern::test
