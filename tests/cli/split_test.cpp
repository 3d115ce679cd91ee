// tern split: the split of a data set as files.

#include <array>
#include <set>

#include "tern/tensor_file.hpp"
#include "tests/cli/workspace.hpp"

namespace tern::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

using Pairs = std::set<std::string>;  // "user\titem"

class Split : public Workspace {
 protected:
  /// The pairs of one split of a run, by name.
  Pairs pairs_of_run(const std::string& name, const std::string& part) const {
    const TensorFile file = read_safetensors(path(name + "/interactions.safetensors"));
    const auto& offsets =
        std::get<std::vector<std::int64_t>>(file.tensors.at(part + ".offsets").values);
    const auto& items =
        std::get<std::vector<std::int32_t>>(file.tensors.at(part + ".items").values);
    const std::vector<std::string> user_names = lines(read(name + "/users.tsv"));
    const std::vector<std::string> item_names = lines(read(name + "/items.tsv"));
    Pairs pairs;
    for (std::size_t user = 0; user < user_names.size(); ++user) {
      for (std::int64_t e = offsets[user]; e < offsets[user + 1]; ++e) {
        pairs.insert(user_names[user] + "\t" + item_names[static_cast<std::size_t>(items[e])]);
      }
    }
    return pairs;
  }
  Pairs pairs_of_file(const std::string& name) const {
    const std::vector<std::string> all = lines(read(name));
    EXPECT_EQ(all[0], "user\titem");
    return {all.begin() + 1, all.end()};
  }
  Outcome train(const std::string& data, const std::string& to,
                const std::vector<std::string>& keys = {}) const {
    std::vector<std::string> arguments{"train",
                                       data,
                                       "--out",
                                       to,
                                       "--quiet",
                                       "--epochs",
                                       "2",
                                       "--set",
                                       "model.width=8",
                                       "evaluation.ks=[2]",
                                       "train.metric=ndcg@2"};
    arguments.insert(arguments.end(), keys.begin(), keys.end());
    return run(arguments);
  }
  static constexpr std::array<const char*, 3> kParts{"train", "valid", "test"};
};

TEST_F(Split, IsReadAsTheSameSplit) {
  write_films();
  const std::vector<std::string> keys{"data.split_seed=7", "data.test_fraction=0.3"};
  ASSERT_EQ(train("films", "before", keys).exit_code, 0);
  const Outcome outcome = run({"split", "films", "--to", "parts", "--set", keys[0], keys[1]});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, IsEmpty());
  EXPECT_THAT(outcome.err,
              HasSubstr("wrote train.tsv, valid.tsv, test.tsv to parts; tern train parts "
                        "reads this split\n"));
  ASSERT_EQ(train("parts", "after").exit_code, 0);
  for (const std::string part : kParts) {
    const Pairs pairs = pairs_of_run("before", part);
    EXPECT_THAT(pairs, Not(IsEmpty()));
    EXPECT_EQ(pairs_of_file("parts/" + part + ".tsv"), pairs) << part;
    EXPECT_EQ(pairs_of_run("after", part), pairs) << part;
  }
}

TEST_F(Split, OfNumberedNodesGivesTheSameBits) {
  ASSERT_EQ(run({"generate", "--to", "made", "--users", "40", "--items", "30", "--interactions",
                 "400", "--quiet"})
                .exit_code,
            0);
  ASSERT_EQ(
      run({"split", "made", "--to", "parts", "--quiet", "--set", "data.split_seed=7"}).exit_code,
      0);
  ASSERT_EQ(train("made", "before", {"data.split_seed=7"}).exit_code, 0);
  ASSERT_EQ(train("parts", "after").exit_code, 0);
  EXPECT_TRUE(exists("parts/valid.txt"));
  for (const char* name : {"before", "after"}) {
    ASSERT_EQ(run({"export", name, "--to", std::string(name) + ".out", "--quiet"}).exit_code, 0);
  }
  for (const char* file : {"user_embeddings.npy", "item_embeddings.npy"}) {
    EXPECT_EQ(read(std::string("after.out/") + file), read(std::string("before.out/") + file))
        << file;
  }
}

TEST_F(Split, CopiesFeatureTables) {
  write_films();
  write("films/item_features.tsv", "film\tkind\ndrama-0\tdrama\n");
  write("films/user_features.npy", "not read");
  EXPECT_THAT(run({"split", "films", "--to", "parts"}), FailsWith(65, "user_features.npy"));
  EXPECT_FALSE(exists("parts"));
  std::filesystem::remove(path("films/user_features.npy"));
  ASSERT_EQ(run({"split", "films", "--to", "parts", "--quiet"}).exit_code, 0);
  EXPECT_EQ(read("parts/item_features.tsv"), read("films/item_features.tsv"));
}

TEST_F(Split, RefusesWhatWouldNotBeReadBack) {
  write_films();
  EXPECT_THAT(run({"split", "films", "--to", "films"}),
              FailsAtOnceWith(2, "--to: films is not empty: choose a new directory"));
  EXPECT_THAT(run({"split", "films", "--to", "parts", "--set", "data.test_fraction=0",
                   "data.valid_fraction=0"}),
              FailsWith(2, "the split holds nothing out"));
  // In a table, quotes around all ids of a column are no part of them.
  write("quoted.jsonl",
        R"({"user":"\"a\"","item":"x"}
{"user":"\"a\"","item":"y"}
{"user":"\"b\"","item":"x"}
)");
  EXPECT_THAT(run({"split", "quoted.jsonl", "--to", "parts"}),
              FailsWith(1, "the ids cannot be written so that they are read as the same split"));
  EXPECT_TRUE(std::filesystem::is_empty(path("parts")));
  EXPECT_THAT(run({"split", "none", "--to", "parts"}), FailsAtOnceWith(65, "none"));
  EXPECT_THAT(run({"split", "films"}), FailsAtOnceWith(2, "--to"));
}

}  // namespace
}  // namespace tern::test
