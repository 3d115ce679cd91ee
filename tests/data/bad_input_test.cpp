// Common mistakes of people, and faults of disks. Each gives an error with the place, the text found
// and the text expected, or is accepted with a note. None crashes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "tern/dataset.hpp"
#include "tern/tensor_file.hpp"
#include "tests/data/data_files.hpp"

namespace tern {
namespace {

using ::testing::AllOf;
using testing::complaint;
using ::testing::Contains;
using testing::data_complaint;
using ::testing::EndsWith;
using testing::gzip;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using testing::TemporaryDirectory;
using testing::zstd;

class BadInput : public ::testing::Test {
 protected:
  std::string data_error(const DataOptions& options = {}) {
    return data_complaint([&] { load_dataset(directory_.path(), options); });
  }
  std::string config_error(const DataOptions& options) {
    return complaint<ConfigError>([&] { load_dataset(directory_.path(), options); });
  }
  std::string at(std::string_view name) { return (directory_ / name).string(); }

  TemporaryDirectory directory_;
};

TEST_F(BadInput, MissingFilesAndDirectories) {
  EXPECT_THAT(data_complaint([&] { load_dataset(directory_ / "absent"); }),
              AllOf(StartsWith(at("absent")), HasSubstr(": no such file or directory")));
  EXPECT_THAT(data_error(), AllOf(HasSubstr(": no train.txt and no interactions.tsv"),
                                  HasSubstr("the directory is empty")));
  directory_.write("ratings.dat", "1::2::3\n");
  EXPECT_THAT(data_error(), HasSubstr("the directory holds ratings.dat"));
  directory_.write("test.txt", "0 1\n");
  EXPECT_THAT(data_error(), HasSubstr(": no train.txt"));
  EXPECT_EQ(load_dataset(directory_ / "ratings.dat").train.size(), 1);
}

TEST_F(BadInput, AmbiguousDirectories) {
  directory_.write("train.txt", "0 1\n");
  directory_.write("train.txt.gz", gzip("0 1\n"));
  EXPECT_THAT(data_error(), HasSubstr("found both train.txt and train.txt.gz"));
  std::filesystem::remove(directory_ / "train.txt.gz");
  directory_.write("interactions.csv", "a,b\n");
  EXPECT_THAT(data_error(), HasSubstr("found both interactions.csv and train.txt"));
  std::filesystem::remove(directory_ / "interactions.csv");
  directory_.write("train.txt", "0 1\n1 2 3\n");
  directory_.write("test.tsv", "a\tb\n");
  EXPECT_THAT(data_error(),
              AllOf(StartsWith(at("train.txt") + ": looks like an adjacency list and"),
                    HasSubstr("test.tsv like a table, expected files of one kind")));
}

TEST_F(BadInput, EmptyFiles) {
  directory_.write("train.txt", "");
  EXPECT_THAT(data_error(), StartsWith(at("train.txt") + ": the file is empty"));
  directory_.write("train.txt", "\n\n");
  EXPECT_THAT(data_error(), HasSubstr("only blank lines"));
  directory_.write("train.txt", "0\n1\n");
  EXPECT_THAT(data_error(), HasSubstr(": no interactions to train on"));
  directory_.write("train.txt", "0 1\n");
  directory_.write("test.txt", "");
  EXPECT_THAT(data_error(), StartsWith(at("test.txt") + ": the file is empty"));
  directory_.write("test.txt", "0\n");
  EXPECT_EQ(load_dataset(directory_.path()).test.size(), 0);
  directory_.write("train.txt", gzip(""));
  EXPECT_THAT(data_error(), HasSubstr("the file is empty"));
}

TEST_F(BadInput, TablesWithoutRows) {
  directory_.write("interactions.tsv", "user\titem\n");
  EXPECT_THAT(data_error(), HasSubstr(": no interactions to train on"));
}

TEST_F(BadInput, AdjacencyIdsThatAreNone) {
  const auto of_train = [&](std::string_view text) {
    directory_.write("train.txt", text);
    return data_error();
  };
  EXPECT_THAT(of_train("0 1 2\n1 two\n"), StartsWith(at("train.txt") + ":2: item id \"two\""));
  EXPECT_THAT(of_train("0 1\n-1 2\n"), AllOf(HasSubstr(":2:"), HasSubstr("is negative")));
  EXPECT_THAT(of_train("0 1 2\n1 1000000000000000000\n"),
              AllOf(HasSubstr(":2:"), HasSubstr("is too large")));
  EXPECT_THAT(of_train(std::string_view("0 1\n1 \0\n", 8)),
              AllOf(HasSubstr(":2:"), HasSubstr("NUL")));
  EXPECT_THAT(of_train("user items\n0 1 2\n1 2\n"),
              HasSubstr(":1: user id \"user\" is not a number"));
}

TEST_F(BadInput, LinesOfTenMegabytes) {
  directory_.write("train.txt", "0 1\n" + std::string(10'000'000, 'x'));
  const std::string of_list = data_error();
  EXPECT_THAT(of_list, HasSubstr(":2:"));
  EXPECT_LT(of_list.size(), 400u);
  std::filesystem::remove(directory_ / "train.txt");
  directory_.write("interactions.tsv", "a\tb\n" + std::string(10'000'000, 'x') + "\tc\n");
  const std::string of_table = data_error();
  EXPECT_THAT(of_table, AllOf(HasSubstr(":2: user id"), HasSubstr("at most 65535 bytes")));
  EXPECT_LT(of_table.size(), 400u);
  directory_.write("interactions.tsv", std::string(10'000'000, '\t') + "a\n");
  EXPECT_THAT(data_error(), HasSubstr(":1: the row has more than 65536 columns"));
}

TEST_F(BadInput, LineEndsAndMarksThatAreAccepted) {
  directory_.write("train.txt", "0 1 2\n1 2\n");
  const std::uint64_t expected = load_dataset(directory_.path()).fingerprint;
  for (const char* text : {"0 1 2\r\n1 2\r\n",
                           "\xEF\xBB\xBF"
                           "0 1 2\n1 2\n",
                           "0 1 2 \n\n1 2"}) {
    directory_.write("train.txt", text);
    EXPECT_EQ(load_dataset(directory_.path()).fingerprint, expected);
  }
  directory_.write("train.txt", "0 1 2\n\n1 2\n");
  EXPECT_THAT(load_dataset(directory_.path()).notes,
              Contains("train.txt: blank lines left out: 1."));
  std::filesystem::remove(directory_ / "train.txt");
  directory_.write("interactions.csv", "\xEF\xBB\xBFuser,item\r\na,x\r\nb,y\r\n");
  const Dataset data = load_dataset(directory_.path());
  EXPECT_EQ(data.users.name(0), "a");
  EXPECT_EQ(data.items.name(1), "y");
}

TEST_F(BadInput, DamagedCompression) {
  std::string list;
  for (int i = 0; i < 1000; ++i) list.append(std::to_string(i)).append(" 1 2 3\n");
  const std::string gz = gzip(list);
  const std::string zst = zstd(list);
  directory_.write("train.txt", gz.substr(0, gz.size() / 2));
  EXPECT_THAT(data_error(), StartsWith(at("train.txt") + ": the gzip data is cut short"));
  directory_.write("train.txt", zst.substr(0, zst.size() / 2));
  EXPECT_THAT(data_error(), StartsWith(at("train.txt") + ": the zstd data is cut short"));
  std::string bad = gz;
  bad[gz.size() - 7] = static_cast<char>(bad[gz.size() - 7] + 1);
  directory_.write("train.txt", bad);
  EXPECT_THAT(data_error(), HasSubstr("the gzip data is damaged"));
  bad = zst;
  bad[zst.size() / 2] = static_cast<char>(bad[zst.size() / 2] + 1);
  bad[4] = static_cast<char>(bad[4] ^ 0x08);  // a reserved bit
  directory_.write("train.txt", bad);
  EXPECT_THAT(data_error(), HasSubstr("the zstd data is damaged"));
}

TEST_F(BadInput, Bombs) {
  directory_.write("train.txt", gzip(std::string(5'000'000, '\n')));
  DataOptions options;
  options.max_bytes = 1'000'000;
  EXPECT_THAT(data_error(options), HasSubstr("longer than 1000000 bytes"));
}

TEST_F(BadInput, RepeatsAreCountedAndLeftOut) {
  directory_.write("train.txt", "0 1 2 1\n1 2\n0 2 3\n");
  directory_.write("test.txt", "0 4 4\n");
  const Dataset data = load_dataset(directory_.path());
  EXPECT_EQ(data.train.size(), 4);
  EXPECT_EQ(data.duplicates, 3);
  EXPECT_THAT(data.notes, Contains("Repeated interactions left out: 3."));
  EXPECT_THAT(data.notes,
              Contains(HasSubstr("lines merged into an earlier one of the same user: 1.")));
}

TEST_F(BadInput, UnseenUsersAndItemsAreAllowed) {
  directory_.write("train.txt", "0 1\n");
  directory_.write("test.txt", "7 1\n0 9 1\n");
  const Dataset data = load_dataset(directory_.path());
  EXPECT_EQ(data.users.size(), 8);
  EXPECT_EQ(data.items.size(), 10);
  EXPECT_THAT(data.notes,
              Contains("Test: users who are evaluated without a training interaction: 1."));
  EXPECT_THAT(data.notes, Contains("Test: held-out items without a training interaction: 1."));
  EXPECT_THAT(data.notes, Contains("Test: interactions that are in the training split as well, are "
                                   "masked and can never be hit: 1."));
  EXPECT_THAT(data.notes, Contains("Ids below the largest user id, 7, that occur nowhere and "
                                   "become users without interactions: 6."));
}

TEST_F(BadInput, FeaturesThatDoNotFit) {
  directory_.write("train.txt", "0 1\n1 0\n");
  write_npy(directory_ / "user_features.npy", {{1, 2}, std::vector<float>(2)});
  EXPECT_THAT(data_error(), StartsWith(at("user_features.npy") + ": the array does not say"));
  directory_.write("user_features.npy", "no array");
  EXPECT_THAT(data_error(), StartsWith(at("user_features.npy") + ": the file is too short"));
  directory_.write("user_features.tsv", "id\tx\n0\t1\n");
  EXPECT_THAT(data_error(), HasSubstr("found both user_features.npy and user_features.tsv"));
  std::filesystem::remove(directory_ / "user_features.npy");
  EXPECT_EQ(load_dataset(directory_.path()).user_features->values.size(), 2u);
  directory_.write("user_features.tsv", "id\tx\n0\t1\t2\n");
  EXPECT_THAT(data_error(), StartsWith(at("user_features.tsv") + ":2:"));
}

TEST_F(BadInput, OptionsThatDoNotFitTheData) {
  directory_.write("train.txt", "0 1 2\n1 2 1\n");
  const auto with = [](auto&& change) {
    DataOptions options;
    change(options);
    return options;
  };
  EXPECT_THAT(config_error(with([](auto& o) { o.split = SplitMethod::kGiven; })),
              HasSubstr("neither a test nor a validation set"));
  EXPECT_THAT(config_error(with([](auto& o) { o.split = SplitMethod::kTime; })),
              HasSubstr("there are no timestamps"));
  EXPECT_THAT(config_error(with([](auto& o) { o.min_rating = 3; })), HasSubstr("has no ratings"));
  EXPECT_THAT(
      data_error(with([](auto& o) { o.k_core = 3; })),
      HasSubstr("the 3-core is empty: no users and items have 3 interactions each among "
                "themselves; before data.k_core = 3, users had at most 2 and items at most 2"));
  EXPECT_THAT(data_error(with([](auto& o) { o.max_nodes = 1; })),
              HasSubstr(": 2 users, more than data.max_nodes = 1"));
  for (const double bad : {-0.1, 1.0, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_THAT(config_error(with([&](auto& o) { o.test_fraction = bad; })),
                HasSubstr("data.test_fraction: found the number"));
    EXPECT_THAT(config_error(with([&](auto& o) { o.valid_fraction = bad; })),
                EndsWith("expected a number from 0 to below 1, or \"auto\""));
  }
  EXPECT_THAT(config_error(with([](auto& o) { o.k_core = -1; })),
              HasSubstr("data.k_core: found the integer -1"));
  EXPECT_THAT(config_error(with([](auto& o) { o.max_bytes = 0; })), HasSubstr("data.max_bytes"));
  EXPECT_THAT(
      config_error(with([](auto& o) { o.min_rating = std::numeric_limits<double>::infinity(); })),
      HasSubstr("data.min_rating: found the number inf"));
  directory_.write("test.txt", "0 0\n");
  EXPECT_THAT(config_error(with([](auto& o) { o.k_core = 2; })),
              HasSubstr("given splits are used as they are"));
}

TEST_F(BadInput, NothingRatedHighEnough) {
  directory_.write("interactions.csv", "user,item,rating\na,x,1\na,y,5\nb,x,2.5\n");
  DataOptions options;
  options.min_rating = 6;
  EXPECT_THAT(data_error(options),
              HasSubstr(": no interactions to train on: data.min_rating = 6 drops all with a lower "
                        "rating: 3; the ratings are from 1 to 5"));
}

TEST_F(BadInput, RandomBytesNeverCrash) {
  std::mt19937 random(10);
  const std::string alphabet = "0123456789 \t\n\r,\"-.|abc";
  int loaded = 0;
  for (int i = 0; i < 300; ++i) {
    std::string text;
    for (std::size_t k = random() % 60; k > 0; --k) {
      text +=
          random() % 30 == 0 ? static_cast<char>(random()) : alphabet[random() % alphabet.size()];
    }
    for (const char* name : {"x.txt", "x.tsv", "x.csv"}) {
      const std::filesystem::path file = directory_.write(std::to_string(i) + name, text);
      try {
        load_dataset(file);
        ++loaded;
      } catch (const Error&) {
      }
    }
  }
  EXPECT_GT(loaded, 0);
}

}  // namespace
}  // namespace tern
