// A run's own copy of its data: whole, bit for bit, and every change of a file is noticed.

#include "host/run/stored_data.hpp"

#include <bit>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/run/run_fixture.hpp"

namespace tern::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// The data set of the fixture, with features of both sides, in a run of a model that reads them.
class StoredData : public RunTest {
 protected:
  StoredData() {
    // Words of any bytes; a number that is -0; columns of 0 and 1 beside numbers.
    write_text(folder / "data/item_features.tsv",
               "item\tsize\tkind\tflag\n0\t-0.0\ta|\xFF%41\t1\n1\t2.5\tb\t0\n3\t1e-30\ta\t1\n");
    write_text(folder / "data/user_features.tsv", "user\tcity\n0\tRome\n1\tOslo\n2\tRome\n");
    config.model.kind = ModelKind::kGcMc;
    data = load_dataset(config.data_path, config.data);
  }

  void expect_whole(const Dataset& found) const {
    EXPECT_EQ(found.train, data.train);
    EXPECT_EQ(found.valid, data.valid);
    EXPECT_EQ(found.test, data.test);
    EXPECT_EQ(found.fingerprint, data.fingerprint);
    ASSERT_EQ(found.users.size(), data.users.size());
    ASSERT_EQ(found.items.size(), data.items.size());
    for (NodeId id = 0; id < data.items.size(); ++id) {
      EXPECT_EQ(found.items.name(id), data.items.name(id));
    }
  }

  static void expect_same(const std::optional<Features>& found,
                          const std::optional<Features>& expected) {
    ASSERT_EQ(found.has_value(), expected.has_value());
    EXPECT_EQ(found->names, expected->names);
    ASSERT_EQ(found->values.size(), expected->values.size());
    for (std::size_t i = 0; i < found->values.size(); ++i) {
      EXPECT_EQ(std::bit_cast<std::uint32_t>(found->values[i]),
                std::bit_cast<std::uint32_t>(expected->values[i]))
          << i;
    }
  }
};

TEST_F(StoredData, IsAllThatARunNeeds) {
  create();
  fs::remove_all(folder / "data");
  fs::rename(path, folder / "moved");
  const Run run = Run::open(folder / "moved");
  EXPECT_TRUE(run.holds_data());
  const Dataset found = run.load_data();
  expect_whole(found);
  expect_same(found.user_features, data.user_features);
  expect_same(found.item_features, data.item_features);
  EXPECT_EQ(found.feature_fingerprint, data.feature_fingerprint);
  run.check_data(found, "the copy");

  const Dataset without = run.load_data(Run::DataParts::kInteractions);
  expect_whole(without);
  EXPECT_FALSE(without.item_features.has_value());
  EXPECT_EQ(run.load_names(Side::kItem).name(3), "3");
}

TEST_F(StoredData, HasNoFeaturesThatTheModelDoesNotRead) {
  config.model.kind = ModelKind::kLightGcn;
  const Run run = create();
  EXPECT_FALSE(fs::exists(path / kFeaturesFile));
  expect_whole(run.load_data());
}

TEST_F(StoredData, OnesTakeLittleSpace) {
  // 2,000 items of one word each: 200 columns of 0 and 1, 1.6 MB as numbers.
  std::string features = "item\tword\n";
  std::string train;
  for (int item = 0; item < 2000; ++item) {
    features += std::to_string(item) + "\tw" + std::to_string(item % 200) + "\n";
    train += " " + std::to_string(item);
  }
  write_text(folder / "data/item_features.tsv", features);
  write_text(folder / "data/train.txt", "0" + train + "\n1 1 2\n2 0\n");
  data = load_dataset(config.data_path, config.data);
  const Run run = create();
  EXPECT_LT(fs::file_size(path / kFeaturesFile), 40'000U);
  expect_same(run.load_data().item_features, data.item_features);
}

TEST_F(StoredData, NoChangedByteChangesTheDataUnnoticed) {
  const Run run = create();
  int unnoticed = 0;
  for (const char* name : {kInteractionsFile, kFeaturesFile, kUsersFile, kItemsFile}) {
    const std::string bytes = read_text(path / name);
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      SCOPED_TRACE(std::string(name) + ", byte " + std::to_string(at));
      std::string changed = bytes;
      changed[at] = static_cast<char>(changed[at] ^ 1);
      write_text(path / name, changed);
      Dataset found;
      const std::string text = complaint([&] { found = run.load_data(); });
      if (text != "no complaint") continue;
      ++unnoticed;  // such as the number of rows of a tensor without columns
      expect_whole(found);
      expect_same(found.user_features, data.user_features);
      expect_same(found.item_features, data.item_features);
    }
    for (const std::size_t size : {std::size_t{0}, bytes.size() / 2, bytes.size() - 1}) {
      write_text(path / name, bytes.substr(0, size));
      EXPECT_NE(complaint([&] { run.load_data(); }), "no complaint") << name << ", size " << size;
    }
    write_text(path / name, bytes);
  }
  EXPECT_LT(unnoticed, 5);
}

TEST_F(StoredData, OfAnotherRunIsNoticed) {
  const Run run = create();
  write_text(folder / "data/train.txt", "0 0 1 2\n1 1 2\n2 1\n");
  data = load_dataset(config.data_path, config.data);
  Run::create(folder / "runs/second", config, data);
  fs::copy_file(folder / "runs/second" / kInteractionsFile, path / kInteractionsFile,
                fs::copy_options::overwrite_existing);
  EXPECT_THAT(complaint([&] { run.load_data(); }),
              AllOf(HasSubstr(kInteractionsFile), HasSubstr("belongs to another run")));
  fs::remove(path / kFeaturesFile);
  EXPECT_THAT(complaint([&] { run.load_data(); }), HasSubstr(kFeaturesFile));
}

TEST_F(StoredData, OldRunsLoadTheOriginal) {
  Run run = create();
  const auto forget = [&] {
    fs::remove(path / kInteractionsFile);
    fs::remove(path / kFeaturesFile);
  };
  forget();
  EXPECT_FALSE(run.holds_data());
  expect_whole(run.load_data());
  expect_same(run.load_data().item_features, data.item_features);
  // Once the data has been checked, the run can keep it.
  run.keep_data(data);
  EXPECT_TRUE(run.holds_data());
  fs::rename(folder / "data", folder / "elsewhere");
  expect_whole(run.load_data());
  forget();
  EXPECT_THAT(complaint([&] { run.load_data(); }),
              AllOf(HasSubstr("the run holds no copy of its data"), HasSubstr("data: ")));
}

TEST_F(StoredData, LeavesWithAnOverwrittenRun) {
  create();
  config.model.kind = ModelKind::kLightGcn;
  create(Run::Overwrite::kYes);
  EXPECT_FALSE(fs::exists(path / kFeaturesFile));
}

}  // namespace
}  // namespace tern::test
