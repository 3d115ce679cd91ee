#include "tern/dataset_builder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "tests/data/data_files.hpp"
#include "tests/data/named_pairs.hpp"

namespace tern {
namespace {

using testing::complaint;
using ::testing::Contains;
using testing::data_complaint;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::named_pairs;
using testing::TemporaryDirectory;

struct Row {
  std::string user;
  std::string item;
  double rating;
  double time;
};

/// Rows with repeats, ratings and times: 12 users with 6 of 9 items each, one pair of them again.
std::vector<Row> some_rows() {
  std::vector<Row> rows;
  for (int user = 0; user < 12; ++user) {
    for (int j = 0; j < 6; ++j) {
      const int item = (5 * user + 2 * j) % 9;
      rows.push_back({"u" + std::to_string(user), "i" + std::to_string(item),
                      static_cast<double>((user + j) % 5), static_cast<double>(7 * j + user % 4)});
    }
  }
  rows.push_back(rows.front());
  return rows;
}

Dataset built(const DataOptions& options) {
  DatasetBuilder builder(options);
  for (const Row& row : some_rows()) {
    builder.add(row.user, row.item, {.rating = row.rating, .timestamp = row.time});
  }
  return builder.build();
}

Dataset read(const DataOptions& options) {
  const TemporaryDirectory directory;
  std::string text = "user\titem\trating\ttimestamp\n";
  for (const Row& row : some_rows()) {
    text += row.user + '\t' + row.item + '\t' + std::to_string(row.rating) + '\t' +
            std::to_string(row.time) + '\n';
  }
  directory.write("interactions.tsv", text);
  return load_dataset(directory.path(), options);
}

void expect_same(const Dataset& a, const Dataset& b) {
  EXPECT_EQ(a.train, b.train);
  EXPECT_EQ(a.valid, b.valid);
  EXPECT_EQ(a.test, b.test);
  EXPECT_EQ(a.duplicates, b.duplicates);
  EXPECT_EQ(a.fingerprint, b.fingerprint);
  EXPECT_NE(a.fingerprint, 0u);
  ASSERT_EQ(a.users.size(), b.users.size());
  ASSERT_EQ(a.items.size(), b.items.size());
  for (NodeId id = 0; id < a.users.size(); ++id) EXPECT_EQ(a.users.name(id), b.users.name(id));
  for (NodeId id = 0; id < a.items.size(); ++id) EXPECT_EQ(a.items.name(id), b.items.name(id));
}

TEST(DatasetBuilder, GivesTheDataSetOfATableOfTheSameRows) {
  for (const SplitMethod split : {SplitMethod::kAuto, SplitMethod::kLeaveOneOut,
                                  SplitMethod::kColdItems, SplitMethod::kTime}) {
    SCOPED_TRACE(static_cast<int>(split));
    DataOptions options;
    options.split = split;
    options.split_seed = Seed{3};
    expect_same(built(options), read(options));
  }
  DataOptions filtered;
  filtered.min_rating = 3.0;
  filtered.k_core = 2;
  expect_same(built(filtered), read(filtered));
}

TEST(DatasetBuilder, KeepsGivenSplits) {
  DatasetBuilder builder;
  builder.add("ann", "tea").add("bob", "tea").add("ann", "milk", {.part = SplitPart::kTest});
  builder.add("bob", "salt", {.part = SplitPart::kValid});
  const Dataset data = builder.build();
  EXPECT_THAT(named_pairs(data, data.train), ElementsAre("ann tea", "bob tea"));
  EXPECT_THAT(named_pairs(data, data.valid), ElementsAre("bob salt"));
  EXPECT_THAT(named_pairs(data, data.test), ElementsAre("ann milk"));
  EXPECT_THAT(data.notes, Contains("Interactions in memory: 4."));
}

TEST(DatasetBuilder, TakesNumbersAsIds) {
  DatasetBuilder builder;
  builder.add(7, std::int64_t{-2}).add("7", 3u).add(8, std::numeric_limits<std::int64_t>::min());
  builder.add(8, std::numeric_limits<std::uint64_t>::max(), {.part = SplitPart::kTest});
  const Dataset data = builder.build();
  EXPECT_THAT(named_pairs(data, data.train), ElementsAre("7 -2", "7 3", "8 -9223372036854775808"));
  EXPECT_THAT(named_pairs(data, data.test), ElementsAre("8 18446744073709551615"));
}

TEST(DatasetBuilder, KeepsNodesWithoutInteractions) {
  DataOptions options;
  options.min_rating = 2.0;
  DatasetBuilder builder(options);
  builder.add_node(Side::kItem, "new").add_node(Side::kUser, "eve");
  builder.add("ann", "tea", {.rating = 5}).add("bob", "dust", {.rating = 1});
  const Dataset data = builder.build();
  EXPECT_EQ(data.items.name(0), "new");
  EXPECT_EQ(data.users.name(0), "eve");
  EXPECT_FALSE(data.items.find("dust"));
  EXPECT_FALSE(data.users.find("bob"));
  EXPECT_THAT(data.notes, Contains("Interactions in memory: dropped for a low rating: 1."));
}

TEST(DatasetBuilder, MatchesFeaturesById) {
  DatasetBuilder builder;
  builder.add("ann", "tea").add("bob", "milk").add("bob", "tea");
  const std::vector<float> values{1, 2, 3, 4, 5, 6};
  builder.set_features(Side::kItem, {"price", "weight"}, {"milk", "none", "tea"}, values);
  const Dataset data = builder.build();
  ASSERT_TRUE(data.item_features);
  EXPECT_THAT(data.item_features->names, ElementsAre("price", "weight"));
  EXPECT_THAT(data.item_features->values, ElementsAre(5, 6, 1, 2));  // tea, milk
  EXPECT_FALSE(data.user_features);
  EXPECT_NE(data.feature_fingerprint, 0u);
  EXPECT_THAT(data.notes,
              Contains("features of items in memory: rows of ids that are not in the data, left "
                       "out: 1."));
}

TEST(DatasetBuilder, TakesATableOfFeatures) {
  DatasetBuilder builder;
  builder.add("ann", "tea").add("bob", "milk").add("bob", "salt");
  builder.set_features(Side::kItem, {"price"}, {"tea"}, std::vector<float>{9});
  builder.set_feature_table(Side::kItem,
                            "id,price,kind:token\n"
                            "milk,3,\"1\"\n"
                            "\"salt\",,\"1\"\n"
                            "tea,5,\"0|1\"\n");
  const Dataset data = builder.build();
  ASSERT_TRUE(data.item_features);
  EXPECT_THAT(data.item_features->names, ElementsAre("price", "kind=0", "kind=1"));
  // tea, milk, salt, whose price counts as the mean.
  EXPECT_THAT(data.item_features->values, ElementsAre(5, 1, 1, 3, 0, 1, 4, 0, 1));
  builder.add("ann", "tea").set_feature_table(Side::kUser, "id,age\nann,x\"\n");
  EXPECT_THAT(data_complaint([&] { builder.build(); }),
              HasSubstr("features of users in memory:2: "));
}

TEST(DatasetBuilder, IsEmptyAfterBuilding) {
  DatasetBuilder builder;
  builder.add("ann", "tea").add("bob", "milk");
  builder.build();
  builder.add("eve", "salt");
  const Dataset data = builder.build();
  EXPECT_EQ(data.users.size(), 1);
  EXPECT_EQ(data.items.name(0), "salt");
}

TEST(DatasetBuilder, RefusesBadIds) {
  DatasetBuilder builder;
  builder.add("ann", "tea");
  const char* const null = nullptr;
  EXPECT_EQ(data_complaint([&] { builder.add(null, "tea"); }),
            "interactions in memory:2: user id is empty, expected at least one byte");
  EXPECT_THAT(data_complaint([&] { builder.add("ann", "a\tb"); }),
              HasSubstr("item id \"a\\x09b\" has a tab or a line end"));
  EXPECT_THAT(data_complaint([&] { builder.add("ann", std::string("a\0b", 3)); }),
              HasSubstr("NUL byte"));
  EXPECT_THAT(data_complaint([&] { builder.add("ann", "caf\xe9"); }), HasSubstr("not UTF-8"));
  EXPECT_THAT(data_complaint([&] { builder.add("ann", std::string(70'000, 'x')); }),
              HasSubstr("too long"));
  EXPECT_THAT(data_complaint([&] { builder.add_node(Side::kUser, ""); }),
              HasSubstr("interactions in memory: user id is empty"));
  const Dataset data = builder.build();  // nothing was added
  EXPECT_EQ(data.users.size(), 1);
  EXPECT_EQ(data.items.size(), 1);
}

TEST(DatasetBuilder, RefusesBadNumbers) {
  DatasetBuilder builder;
  EXPECT_THAT(data_complaint([&] { builder.add("a", "b", {.rating = std::nan("")}); }),
              HasSubstr("interactions in memory:1: rating nan is not finite"));
  EXPECT_THAT(data_complaint([&] { builder.add("a", "b", {.timestamp = HUGE_VAL}); }),
              HasSubstr("timestamp inf is not finite"));
  builder.add("a", "b", {.timestamp = 1.0}).add("a", "c").add("b", "c", {.timestamp = 2.0});
  EXPECT_EQ(data_complaint([&] { builder.build(); }),
            "interactions in memory:2: the interaction has no timestamp, but 2 others have; "
            "expected one for each or for none");
}

TEST(DatasetBuilder, RefusesOptionsThatDoNotFit) {
  DataOptions options;
  options.test_fraction = 1.5;
  EXPECT_THAT(complaint<ConfigError>([&] { DatasetBuilder{options}; }),
              HasSubstr("data.test_fraction"));
  const auto build_with = [](const DataOptions& wanted) {
    DatasetBuilder builder(wanted);
    builder.add("ann", "tea").add("bob", "milk").build();
  };
  options = {};
  options.split = SplitMethod::kGiven;
  EXPECT_THAT(complaint<ConfigError>([&] { build_with(options); }),
              HasSubstr("neither a test nor a validation set"));
  options.split = SplitMethod::kTime;
  EXPECT_THAT(complaint<ConfigError>([&] { build_with(options); }), HasSubstr("no timestamps"));
  options = {};
  options.min_rating = 1.0;
  EXPECT_THAT(complaint<ConfigError>([&] { build_with(options); }),
              HasSubstr("no interaction in memory has a rating"));
  options = {};
  options.k_core = 2;
  EXPECT_THAT(data_complaint([&] { build_with(options); }), HasSubstr("the 2-core is empty"));
  options = {};
  options.max_nodes = 1;
  EXPECT_THAT(data_complaint([&] { build_with(options); }),
              HasSubstr("interactions in memory:2: more users than data.max_nodes = 1 allows"));
}

TEST(DatasetBuilder, AddsNoUserWithAnItemBeyondTheLimit) {
  DataOptions options;
  options.max_nodes = 2;
  DatasetBuilder builder(options);
  builder.add("ann", "tea").add("ann", "milk");
  EXPECT_THAT(data_complaint([&] { builder.add("bob", "salt"); }),
              HasSubstr("interactions in memory:3: more items than data.max_nodes = 2 allows"));
  EXPECT_EQ(builder.build().users.size(), 1);
}

TEST(DatasetBuilder, RefusesDataWithoutTraining) {
  DatasetBuilder builder;
  EXPECT_EQ(data_complaint([&] { builder.build(); }),
            "interactions in memory: no interactions to train on, expected at least one");
  builder.add("ann", "tea", {.part = SplitPart::kTest});
  EXPECT_THAT(data_complaint([&] { builder.build(); }), HasSubstr("no interactions to train on"));
}

TEST(DatasetBuilder, RefusesBadFeatures) {
  DatasetBuilder builder;
  const auto refusal = [&](std::vector<std::string> columns, const std::vector<std::string>& ids,
                           const std::vector<float>& values) {
    return data_complaint(
        [&] { builder.set_features(Side::kUser, std::move(columns), ids, values); });
  };
  EXPECT_THAT(refusal({}, {"ann"}, {}), HasSubstr("no columns"));
  EXPECT_THAT(refusal({"a", "a"}, {"ann"}, {1, 2}), HasSubstr("column \"a\" occurs twice"));
  EXPECT_THAT(refusal({"a"}, {"ann", "ann"}, {1, 2}), HasSubstr("id \"ann\" occurs twice"));
  EXPECT_THAT(refusal({"a"}, {"ann", ""}, {1, 2}), HasSubstr("id 1 (from 0) is empty"));
  EXPECT_THAT(refusal({"a", "b"}, {"ann"}, {1}),
              HasSubstr("found 1 values, expected 2: 1 ids times 2 columns"));
  EXPECT_THAT(refusal({"a"}, {"ann"}, {NAN}), HasSubstr("id \"ann\", column \"a\": found nan"));
  builder.add("ann", "tea").set_features(Side::kUser, {"a"}, {"bob"}, std::vector<float>{1});
  EXPECT_THAT(data_complaint([&] { builder.build(); }),
              HasSubstr("features of users in memory: no id is in the data, which has ids such as "
                        "\"ann\""));
}

}  // namespace
}  // namespace tern
