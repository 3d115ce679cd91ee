#include "tern/dataset.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>

#include "host/support/parallel.hpp"
#include "tern/inspect.hpp"
#include "tern/tensor_file.hpp"
#include "tests/data/data_files.hpp"
#include "tests/data/named_pairs.hpp"

namespace tern {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using testing::gzip;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::named_pairs;
using ::testing::Not;
using testing::TemporaryDirectory;
using testing::zstd;

std::int64_t total_size(const Dataset& data) {
  return data.train.size() + data.valid.size() + data.test.size();
}

TEST(LoadDataset, UsesGivenSplitsAsTheyAre) {
  const TemporaryDirectory directory;
  directory.write("train.txt", "0 1 2\n1 0\n2\n");
  directory.write("test.txt", "0 3\n1 2 1\n");
  const Dataset data = load_dataset(directory.path());
  EXPECT_EQ(data.users.size(), 3);
  EXPECT_EQ(data.items.size(), 4);
  EXPECT_THAT(named_pairs(data, data.train), ElementsAre("0 1", "0 2", "1 0"));
  EXPECT_THAT(named_pairs(data, data.test), ElementsAre("0 3", "1 1", "1 2"));
  EXPECT_EQ(data.valid.size(), 0);
  EXPECT_EQ(data.valid.num_users(), 3);
  EXPECT_EQ(data.valid.num_items(), 4);
  EXPECT_THAT(data.notes, Contains(HasSubstr("There is no validation split")));
  EXPECT_THAT(data.notes, Contains("Users without a training interaction: 1."));
  EXPECT_THAT(data.notes,
              Contains("Test: users without a held-out interaction, who are not evaluated: 1."));
  EXPECT_THAT(data.notes, Contains("Test: held-out items without a training interaction: 1."));
}

TEST(LoadDataset, CutsValidationFromAGivenTrainingSetOnlyWhenAsked) {
  const TemporaryDirectory directory;
  directory.write("train.txt", "0 1 2 3 4 5 6 7 8 9 10\n1 0\n");
  directory.write("test.txt", "0 0\n");
  DataOptions options;
  options.valid_fraction = 0.3;
  const Dataset cut = load_dataset(directory.path(), options);
  EXPECT_EQ(cut.train.row(0).size(), 7u);
  EXPECT_EQ(cut.valid.row(0).size(), 3u);
  EXPECT_EQ(cut.train.row(1).size(), 1u);
  EXPECT_EQ(cut.test.size(), 1);
  EXPECT_THAT(cut.notes,
              Contains(HasSubstr("training set for validation, at random per user (seed 0): 3.")));
  options.valid_fraction = 0;
  EXPECT_EQ(load_dataset(directory.path(), options).valid.size(), 0);

  directory.write("valid.txt", "1 5\n");
  options.valid_fraction = 0.3;
  const Dataset given = load_dataset(directory.path(), options);
  EXPECT_THAT(named_pairs(given, given.valid), ElementsAre("1 5"));
  EXPECT_EQ(given.train.size(), 11);
}

TEST(LoadDataset, SplitsAnewByDefaultAndOnRequest) {
  const TemporaryDirectory directory;
  directory.write("train.txt", "0 1 2 3 4 5 6 7 8\n");
  const Dataset alone = load_dataset(directory.path());
  EXPECT_EQ(alone.test.size(), 2);   // 0.2 · 8 = 1.6
  EXPECT_EQ(alone.valid.size(), 1);  // at least one
  EXPECT_EQ(alone.train.size(), 5);
  directory.write("test.txt", "0 9 10\n1 1\n");
  DataOptions options;
  options.split = SplitMethod::kRandom;
  options.valid_fraction = 0.0;
  const Dataset pooled = load_dataset(directory.path(), options);
  EXPECT_EQ(total_size(pooled), 11);
  EXPECT_EQ(pooled.test.row(0).size(), 2u);
  EXPECT_EQ(pooled.train.row(1).size(), 1u);
  EXPECT_EQ(pooled.valid.size(), 0);
}

TEST(LoadDataset, LoadsOneFile) {
  const TemporaryDirectory directory;
  const std::filesystem::path list = directory.write("mine.txt", "0 1 2\n1 1\n");
  EXPECT_EQ(total_size(load_dataset(list)), 3);
  const std::filesystem::path table = directory.write("mine.csv.gz", gzip("u,i\nv,j\nv,i\n"));
  const Dataset data = load_dataset(table);
  EXPECT_EQ(total_size(data), 3);
  EXPECT_EQ(data.users.name(1), "v");
}

TEST(LoadDataset, ReadsCompressedFilesOfEveryKind) {
  const std::string lists = "0 1 2\n1 3\n2 0 1\n";
  const std::string held_out = "0 0\n";
  std::vector<std::uint64_t> fingerprints;
  for (const auto& [train, test] : {std::pair<std::string, std::string>{"train.txt", "test.txt"},
                                    {"train.txt.gz", "test.txt.zst"},
                                    {"train.txt.zst", "test.txt"}}) {
    const TemporaryDirectory directory;
    const auto write = [&](const std::string& name, const std::string& text) {
      directory.write(name, name.ends_with(".gz")    ? gzip(text)
                            : name.ends_with(".zst") ? zstd(text)
                                                     : text);
    };
    write(train, lists);
    write(test, held_out);
    fingerprints.push_back(load_dataset(directory.path()).fingerprint);
  }
  EXPECT_EQ(fingerprints[0], fingerprints[1]);
  EXPECT_EQ(fingerprints[0], fingerprints[2]);
}

TEST(LoadDataset, ReadsTablesAsGivenSplits) {
  const TemporaryDirectory directory;
  directory.write("train.tsv", "user\titem\nann\tx\nbob\ty\n");
  directory.write("test.csv", "item,user\ny,ann\nz,cid\n");
  const Dataset data = load_dataset(directory.path());
  EXPECT_THAT(named_pairs(data, data.train), ElementsAre("ann x", "bob y"));
  EXPECT_THAT(named_pairs(data, data.test), ElementsAre("ann y", "cid z"));
  EXPECT_EQ(data.users.name(0), "ann");
  EXPECT_EQ(data.items.find("z"), 2);
  EXPECT_THAT(data.notes,
              Contains("Test: users who are evaluated without a training interaction: 1."));
}

TEST(LoadDataset, DropsLowRatingsAndWhoHasNoOthers) {
  const TemporaryDirectory directory;
  directory.write("interactions.csv", "user,item,rating\na,x,5\nb,y,1\nc,x,4\nc,y,2\nc,z,4.5\n");
  DataOptions options;
  options.min_rating = 4;
  options.test_fraction = 0;
  options.valid_fraction = 0;
  const Dataset data = load_dataset(directory.path(), options);
  EXPECT_THAT(named_pairs(data, data.train), ElementsAre("a x", "c x", "c z"));
  EXPECT_EQ(data.users.size(), 2);
  EXPECT_EQ(data.items.size(), 2);
  EXPECT_THAT(data.notes,
              Contains("interactions.csv: interactions dropped for a rating below 4: 2."));
  EXPECT_THAT(data.notes, Contains("Dropped for lack of other ratings: users: 1, items: 1."));
}

TEST(LoadDataset, DropsWhoHasNoOtherRatingInAnyPart) {
  const TemporaryDirectory directory;
  directory.write("train.csv", "user,item,rating\na,x,5\nb,y,1\nc,y,2\n");
  directory.write("test.csv", "user,item,rating\nc,z,5\n");
  DataOptions options;
  options.min_rating = 4;
  const Dataset data = load_dataset(directory.path(), options);
  EXPECT_THAT(named_pairs(data, data.train), ElementsAre("a x"));
  EXPECT_THAT(named_pairs(data, data.test), ElementsAre("c z"));
  EXPECT_EQ(data.users.size(), 2);
  EXPECT_EQ(data.items.size(), 2);
}

TEST(LoadDataset, FeaturesFollowNodesThroughEveryFilter) {
  // Low ratings drop user d, whose row comes first; the 2-core then drops user c.
  const TemporaryDirectory directory;
  directory.write("interactions.csv",
                  "user,item,rating\nd,w,1\nc,z,5\na,x,5\na,y,5\nb,x,5\nb,y,5\n");
  write_npy(directory / "user_features.npy", {{4, 1}, std::vector<float>{1, 2, 3, 4}});
  directory.write("user_ids.txt", "d\nc\na\nb\n");
  DataOptions options;
  options.min_rating = 4;
  options.k_core = 2;
  const Dataset data = load_dataset(directory.path(), options);
  EXPECT_EQ(data.users.name(0), "a");
  EXPECT_THAT(data.user_features->values, ElementsAre(3, 4));
}

TEST(LoadDataset, KeepsTheKCoreAlone) {
  const TemporaryDirectory directory;
  // A square of a, b and x, y, and a tail. The repeated "a x" must not count twice.
  directory.write("interactions.tsv", "c\tz\nc\ty\na\tx\na\tx\na\ty\nb\tx\nb\ty\nc\ty\n");
  DataOptions options;
  options.k_core = 2;
  options.test_fraction = 0;
  options.valid_fraction = 0;
  const Dataset data = load_dataset(directory.path(), options);
  EXPECT_THAT(named_pairs(data, data.train), ElementsAre("a x", "a y", "b x", "b y"));
  EXPECT_EQ(data.users.name(0), "a");
  EXPECT_EQ(data.items.name(0), "y");  // still in order of first appearance
  EXPECT_EQ(data.duplicates, 1);
  EXPECT_THAT(data.notes, Contains(HasSubstr("The 2-core drops 1 of 3 users, 1 of 3 items and 3 of "
                                             "8 interactions")));
}

TEST(LoadDataset, KCoreRenamesNumberedNodes) {
  const TemporaryDirectory directory;
  directory.write("train.txt", "0 5\n1 3 4\n2 3 4\n");
  DataOptions options;
  options.k_core = 2;
  options.test_fraction = 0;
  const Dataset data = load_dataset(directory.path(), options);
  EXPECT_EQ(data.users.name(0), "1");
  EXPECT_EQ(data.items.find("4"), 1);
  EXPECT_EQ(data.items.find("5"), std::nullopt);
}

TEST(LoadDataset, NamesFilesThatAreNotRead) {
  const TemporaryDirectory directory;
  directory.write("train.txt", "0 1\n1 0\n");
  directory.write("README.md", "");
  directory.write("readme", "");
  directory.write(".hidden", "");
  std::filesystem::create_directories(directory / "runs");
  const auto unread = [&] {
    std::vector<std::string> notes;
    for (const std::string& note : load_dataset(directory.path()).notes) {
      if (note.starts_with("Files that are not read")) notes.push_back(note);
    }
    return notes;
  };
  EXPECT_THAT(unread(), IsEmpty());
  directory.write("val.txt", "0 2\n");
  directory.write("item_features.parquet", "");
  directory.write("user_ids.txt", "0\n1\n");  // there is no array
  EXPECT_THAT(unread(), ElementsAre("Files that are not read: item_features.parquet, user_ids.txt, "
                                    "val.txt (expected the name valid)."));
  write_npy(directory / "user_features.npy", {{2}, std::vector<float>{1, 2}});
  EXPECT_THAT(unread(), ElementsAre("Files that are not read: item_features.parquet, val.txt "
                                    "(expected the name valid)."));
}

TEST(LoadDataset, SkipsFeaturesUnread) {
  const TemporaryDirectory directory;
  directory.write("interactions.tsv", "b\tx\na\tx\na\ty\nb\ty\n");
  directory.write("item_features.tsv", "not a table\n");
  directory.write("user_features.npy", "no array");
  EXPECT_THROW(load_dataset(directory.path()), DataError);
  const Dataset data = load_dataset(directory.path(), {}, FeatureFiles::kSkip);
  EXPECT_FALSE(data.item_features || data.user_features);
  EXPECT_EQ(data.feature_fingerprint, 0u);
  EXPECT_THAT(data.notes, Contains(HasSubstr("Features that this model does not read: "
                                             "user_features.npy, item_features.tsv (gcmc")));
}

TEST(LoadDataset, JoinsFeaturesOfBothKinds) {
  const TemporaryDirectory directory;
  directory.write("interactions.tsv", "b\tx\na\tx\na\ty\nb\ty\nc\tz\n");
  write_npy(directory / "user_features.npy", {{3, 1}, std::vector<float>{1, 2, 3}});
  directory.write("user_ids.txt", "b\r\na\r\nc");
  directory.write("item_features.tsv.zst", zstd("item\tkind\nz\tlast\ny\tmiddle\n"));
  DataOptions options;
  const Dataset data = load_dataset(directory.path(), options);
  EXPECT_THAT(data.user_features->values, ElementsAre(1, 2, 3));
  EXPECT_THAT(data.item_features->names, ElementsAre("kind=last", "kind=middle"));
  EXPECT_THAT(data.item_features->values, ElementsAre(0, 0, 0, 1, 1, 0));
  EXPECT_THAT(data.notes, Contains(HasSubstr("nodes without a row, whose features are zeros: 1.")));
  // A filter changes no rows.
  options.k_core = 2;
  const Dataset core = load_dataset(directory.path(), options);
  EXPECT_THAT(core.user_features->values, ElementsAre(1, 2));
  EXPECT_THAT(core.item_features->names, ElementsAre("kind=middle"));
  EXPECT_THAT(core.notes, Contains(HasSubstr("rows of ids that are not in the data, left out: 1")));
}

TEST(LoadDataset, NumbersSparseIdsAndKeepsTheirNames) {
  const TemporaryDirectory directory;
  directory.write("train.txt", "2000000000 5 7\n10 7\n");
  directory.write("test.txt", "10 1500000000\n");
  const Dataset data = load_dataset(directory.path());
  EXPECT_EQ(data.users.size(), 2);
  EXPECT_EQ(data.users.name(1), "2000000000");
  EXPECT_EQ(data.items.size(), 3);
  EXPECT_THAT(named_pairs(data, data.train), ElementsAre("10 7", "2000000000 5", "2000000000 7"));
  EXPECT_THAT(named_pairs(data, data.test), ElementsAre("10 1500000000"));
  EXPECT_THAT(data.notes,
              Contains(HasSubstr("The user ids are sparse (2 of them up to 2000000000)")));
}

TEST(LoadDataset, FingerprintTellsSplitsApart) {
  const TemporaryDirectory directory;
  const auto of = [&](const std::string& train, const std::string& test) {
    directory.write("train.txt", train);
    directory.write("test.txt", test);
    return load_dataset(directory.path()).fingerprint;
  };
  std::set<std::uint64_t> fingerprints{of("0 1 2\n1 0\n", "0 0\n"), of("0 1 2\n1 0\n", "1 1\n"),
                                       of("0 1\n1 0 2\n", "0 0\n"), of("0 1 2\n1 0\n2\n", "0 0\n"),
                                       of("0 1 2\n1 0\n", "0 3\n"), of("0 0\n", "0 1 2\n1 0\n")};
  EXPECT_EQ(fingerprints.size(), 6u);
  EXPECT_TRUE(
      fingerprints.contains(of("1 0\n0 2 1 2\n", "0 0\n")));  // the same data, written differently
}

TEST(LoadDataset, HoldsColdItemsOut) {
  const TemporaryDirectory directory;
  std::string text;
  for (int user = 0; user < 20; ++user) {
    for (int item = 0; item < 10; ++item) {
      if ((user + item) % 3 != 0)
        text += testing::numbered("u", user) + "\t" + testing::numbered("i", item) + "\n";
    }
  }
  directory.write("interactions.tsv", text);
  DataOptions options;
  options.split = SplitMethod::kColdItems;
  options.test_fraction = 0.3;
  options.valid_fraction = 0.2;
  const Dataset data = load_dataset(directory.path(), options);
  const std::set<NodeId> cold(data.test.items().begin(), data.test.items().end());
  EXPECT_EQ(cold.size(), 3u);
  for (const Interactions* part : {&data.train, &data.valid}) {
    EXPECT_GT(part->size(), 0);
    for (const NodeId item : part->items()) EXPECT_FALSE(cold.contains(item));
  }
  options.split_seed = Seed{1};
  EXPECT_NE(load_dataset(directory.path(), options).fingerprint, data.fingerprint);
}

TEST(LoadDataset, IsTheSameForAnyNumberOfThreads) {
  const TemporaryDirectory directory;
  std::mt19937 random(9);
  std::string table = "user\titem\trating\ttimestamp\n";
  for (int row = 0; row < 40'000; ++row) {
    table.append("user").append(std::to_string(random() % 3000)).append("\titem");
    table.append(std::to_string(random() % 1000)).append("\t").append(std::to_string(random() % 5));
    table.append("\t").append(std::to_string(random() % 100'000)).append("\n");
  }
  directory.write("interactions.tsv", table);  // several chunks
  DataOptions options;
  options.k_core = 3;
  options.min_rating = 1;
  for (const SplitMethod split :
       {SplitMethod::kRandom, SplitMethod::kLeaveOneOut, SplitMethod::kTime}) {
    options.split = split;
    const auto load = [&](int threads) {
      const ThreadLimit limit(threads);
      return load_dataset(directory.path(), options);
    };
    const Dataset one = load(1);
    const Dataset four = load(4);
    EXPECT_EQ(one.fingerprint, four.fingerprint);
    EXPECT_EQ(one.train, four.train);
    EXPECT_EQ(one.valid, four.valid);
    EXPECT_EQ(one.test, four.test);
    EXPECT_EQ(one.notes, four.notes);
    ASSERT_EQ(one.users.size(), four.users.size());
    for (NodeId user = 0; user < one.users.size(); ++user) {
      ASSERT_EQ(one.users.name(user), four.users.name(user));
    }
  }
}

TEST(LoadDataset, LoadsTheDebianPackageGraph) {
  const Dataset data = load_dataset(std::filesystem::path(TERN_TEST_DATA) / "debian");
  EXPECT_GT(data.users.size(), 15'000);
  EXPECT_GT(data.items.size(), 5'000);
  const DatasetSummary summary = inspect(data);
  EXPECT_GE(summary.all.users.degrees.min, 5);
  EXPECT_GE(summary.all.items.degrees.min, 5);
  EXPECT_EQ(data.duplicates, 0);
  EXPECT_EQ(summary.all.interactions, total_size(data));
  EXPECT_EQ(summary.train.users.empty, 0);
  EXPECT_EQ(summary.held_out_test.users, data.users.size());
  ASSERT_TRUE(data.items.find("libc6"));
  ASSERT_TRUE(data.user_features && data.item_features);
  const Features& features = *data.item_features;
  const auto column = [&](const std::string& name) {
    return std::find(features.names.begin(), features.names.end(), name) - features.names.begin();
  };
  const float* libc6 = features.values.data() + *data.items.find("libc6") * features.width();
  EXPECT_EQ(libc6[column("section=libs")], 1.0F);
  EXPECT_GT(libc6[column("log_installed_size")], 1.0F);
  EXPECT_THAT(data.notes, Not(Contains(HasSubstr("ids that are not in the data"))));
}

}  // namespace
}  // namespace tern
