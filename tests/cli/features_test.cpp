// gcmc from the command line: features, items without a training interaction, new nodes.

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "tern/tensor_file.hpp"
#include "tests/cli/workspace.hpp"

namespace tern::test {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class FeaturesOnTheCommandLine : public Workspace {
 protected:
  FeaturesOnTheCommandLine() {
    std::string films = "film\tkind\tyear\n";
    for (int n = 0; n < 20; ++n) {
      films += film_name(n) + (n % 2 == 0 ? "\tdrama\t" : "\thorror\t") +
               std::to_string(1980 + n * 7 % 20) + "\n";
    }
    write("films/item_features.tsv", films);
    std::string people = "person\ttaste\n";
    for (int n = 0; n < 24; ++n) {
      people += person_name(n) + (n % 2 == 0 ? "\ttears\n" : "\tfear\n");
    }
    write("films/user_features.tsv", people);
    write("films.tsv", "film\tkind\tyear\nnew drama\tdrama\t1990\nnew horror\thorror\t1990\n");
    write("people.tsv", "person\ttaste\nnew tears\ttears\nnew fear\tfear\n");
  }

  Outcome train(std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"--model", "gcmc", "--quiet"});
    return train_films(more);
  }
  void train_well(const std::vector<std::string>& more = {}) const {
    const Outcome outcome = train(more);
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  }
  void train_for_cold_items() const {
    train_well(
        {"--set", "data.split=cold-items", "data.test_fraction=0.3", "model.message_dropout=0.3"});
  }

  /// The rows of a TSV output without its header.
  std::vector<std::vector<std::string>> table(const Outcome& outcome,
                                              const std::string& header) const {
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    std::vector<std::vector<std::string>> rows;
    for (const std::string& line : lines(outcome.out)) rows.push_back(cells(line));
    EXPECT_FALSE(rows.empty());
    if (rows.empty()) return rows;
    EXPECT_EQ(lines(outcome.out)[0], header);
    rows.erase(rows.begin());
    return rows;
  }
  static constexpr const char* kHeader = "user\trank\titem\tscore\tsource";

  /// The place of an item in a user's list.
  static int rank_of(const std::vector<std::vector<std::string>>& rows, const std::string& user,
                     const std::string& item) {
    for (const auto& row : rows) {
      if (row[0] == user && row[2] == item) return std::stoi(row[1]);
    }
    ADD_FAILURE() << user << " has no " << item;
    return -1;
  }
};

TEST_F(FeaturesOnTheCommandLine, TrainThatGcMcReads) {
  train_well({"--set", "model.hidden=[6]"});
  const TensorFile file = read_safetensors(path(checkpoint("run", "best-")));
  EXPECT_EQ(file.metadata.at("model"), "gcmc");
  EXPECT_FALSE(file.tensors.contains("item_embedding"));
  // The indicator cells are dense enough to be stored as numbers: three columns with the year.
  EXPECT_EQ(file.tensors.at("item_layer1_self_numbers_weight").shape,
            (std::vector<std::int64_t>{3, 6}));
  EXPECT_EQ(file.tensors.at("user_layer1_message_numbers_weight").shape,
            (std::vector<std::int64_t>{3, 6}));
  EXPECT_EQ(file.tensors.at("user_layer2_norm_running_mean").shape,
            (std::vector<std::int64_t>{1, 8}));
  const json last = json::parse(lines(read("run/metrics.jsonl")).back());
  const json first = json::parse(lines(read("run/metrics.jsonl")).front());
  EXPECT_LT(last["loss"], first["loss"]);
  // Everyone watches only one kind of film, which half of all films are.
  const json answer = json::parse(run({"evaluate", "run", "--json", "--baselines"}).out);
  EXPECT_EQ(answer["model"], "gcmc");
  EXPECT_EQ(answer["items"], "all");
  EXPECT_GT(answer["metrics"]["recall@5"], answer["baselines"]["popularity"]["recall@5"]);
}

TEST_F(FeaturesOnTheCommandLine, AreAskedForInVainWhereThereAreNone) {
  std::filesystem::remove(path("films/user_features.tsv"));
  EXPECT_THAT(train({"--set", "model.inputs=features"}),
              FailsWith(2, "model.inputs needs features, but the data has none of users"));
  EXPECT_EQ(train({"--overwrite"}).exit_code, 0);
}

TEST_F(FeaturesOnTheCommandLine, AreLeftAloneByOtherModels) {
  // Reading this file would be an error.
  write("films/item_features.tsv", "not a table of features\n");
  EXPECT_THAT(train({"--overwrite"}), FailsAtOnceWith(65, "item_features.tsv"));
  for (const std::vector<std::string>& model : {std::vector<std::string>{"--model", "lightgcn"},
                                                {"--model", "mf"},
                                                {"--model", "gcmc", "--set", "model.inputs=ids"}}) {
    std::vector<std::string> more{"--overwrite"};
    more.insert(more.end(), model.begin(), model.end());
    const Outcome outcome = train_films(more);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_THAT(lines(outcome.err),
                Contains(HasSubstr("Features that this model does not read: user_features.tsv, "
                                   "item_features.tsv (")));
    EXPECT_THAT(run({"train", "films", "--out", "run", "--resume"}).err,
                HasSubstr("nothing to do"));
  }
}

TEST_F(FeaturesOnTheCommandLine, ThatHaveChangedAreNoticed) {
  train_well();
  const std::string before = read("films/item_features.tsv");
  std::string after = before;
  after.replace(after.find("1980"), 4, "1981");
  write("films/item_features.tsv", after);
  const std::vector<std::string> more{"train",    "films",    "--out", "run",
                                      "--resume", "--epochs", "999"};
  EXPECT_THAT(run(more), FailsAtOnceWith(65, "the data has changed since the run"));
  // A run does not depend on files that it has not read.
  train_well({"--overwrite", "--set", "model.inputs=ids"});
  write("films/item_features.tsv", before);
  EXPECT_THAT(run({"train", "films", "--out", "run", "--resume"}).err, HasSubstr("nothing to do"));
}

TEST_F(FeaturesOnTheCommandLine, RankColdItemsAmongThemselves) {
  train_for_cold_items();
  const json answer = json::parse(run({"evaluate", "run", "--cold", "--json", "-k", "2,6"}).out);
  EXPECT_EQ(answer["items"], "cold");
  // Again, computed from complete lists with marked held-out items: exactly the cold items are held
  // out.
  const auto rows = table(run({"recommend", "run", "--all", "-k", "20", "--mark-held-out"}),
                          "user\trank\titem\tscore\theld_out\tsource");
  std::set<std::string> cold;
  for (const auto& row : rows) {
    if (row[4] == "yes") cold.insert(row[2]);
  }
  ASSERT_THAT(cold, SizeIs(6));
  struct Count {
    int seen = 0;
    int hits = 0;
    int held_out = 0;
  };
  std::map<std::string, Count> counts;
  for (const auto& row : rows) {
    if (!cold.contains(row[2])) continue;
    Count& of = counts[row[0]];
    ++of.seen;
    if (row[4] != "yes") continue;
    ++of.held_out;
    if (of.seen <= 2) ++of.hits;
  }
  double recall = 0.0;
  double users = 0.0;
  for (const auto& [user, of] : counts) {
    if (of.held_out == 0) continue;
    recall += static_cast<double>(of.hits) / of.held_out;
    ++users;
  }
  EXPECT_EQ(answer["users"], users);
  EXPECT_NEAR(answer["metrics"]["recall@2"].get<double>(), recall / users, 1e-12);
  EXPECT_EQ(answer["metrics"]["recall@6"], 1.0);
  EXPECT_EQ(answer["metrics"]["hit_rate@6"], 1.0);
  EXPECT_GT(recall / users, 0.55);  // only features tell their kind

  const Outcome text = run({"evaluate", "run", "--cold", "-k", "2"});
  EXPECT_EQ(text.exit_code, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("test split, only items without a training interaction"));
  EXPECT_THAT(run({"evaluate", "run", "--cold", "-k", "2", "--baselines"}),
              FailsAtOnceWith(2, "expected either --cold or --baselines"));
  EXPECT_NE(json::parse(run({"evaluate", "run", "--json", "-k", "2"}).out)["metrics"],
            json::parse(run({"evaluate", "run", "--json", "-k", "2", "--cold"}).out)["metrics"]);
}

TEST_F(FeaturesOnTheCommandLine, RefuseColdItemsThatAreNotThere) {
  train_for_cold_items();
  EXPECT_THAT(run({"evaluate", "run", "--cold", "-k", "7"}),
              FailsAtOnceWith(2,
                              "-k: found 7, but the run has only 6 items without a training "
                              "interaction"));
  EXPECT_THAT(
      run({"evaluate", "run", "--cold", "--split", "valid"}),
      FailsAtOnceWith(2, "no validation interactions with items that have none in training"));
  train_well({"--overwrite"});
  EXPECT_THAT(run({"evaluate", "run", "--cold"}),
              FailsAtOnceWith(2, "no test interactions with items that have none in training"));
}

TEST_F(FeaturesOnTheCommandLine, NewItemsAreCandidatesLikeOthers) {
  train_well({"--set", "model.message_dropout=0.3"});
  const auto rows = table(run({"recommend", "run", "--all", "-k", "22", "--include-observed",
                               "--new-items", "films.tsv"}),
                          kHeader);
  ASSERT_THAT(rows, SizeIs(24 * 22));
  int right = 0;
  for (int n = 0; n < 24; ++n) {
    const int drama = rank_of(rows, person_name(n), "new drama");
    const int horror = rank_of(rows, person_name(n), "new horror");
    right += (n % 2 == 0) == (drama < horror) ? 1 : 0;
  }
  EXPECT_GE(right, 22);
  // All other scores are unchanged.
  std::map<std::pair<std::string, std::string>, std::string> scores;
  for (const auto& row : table(run({"recommend", "run", "--all", "--include-observed"}), kHeader)) {
    scores[{row[0], row[2]}] = row[3];
  }
  for (const auto& row : rows) {
    if (row[2].starts_with("new ")) continue;
    EXPECT_NEAR(std::stod(row[3]), std::stod(scores.at({row[0], row[2]})), 1e-4);
  }
}

TEST_F(FeaturesOnTheCommandLine, NewUsersAreListedWhereNobodyIsNamed) {
  train_well({"--set", "model.message_dropout=0.3"});
  const auto rows =
      table(run({"recommend", "run", "--new-users", "people.tsv", "-k", "5"}), kHeader);
  ASSERT_THAT(rows, SizeIs(10));
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(rows[i][0], i < 5 ? "new tears" : "new fear");
    EXPECT_THAT(rows[i][2], testing::StartsWith(i < 5 ? "drama-" : "horror-"));
  }
  EXPECT_THAT(table(run({"recommend", "run", "--new-users", "people.tsv", "--user", "new fear",
                         "drama fan 0", "-k", "1"}),
                    kHeader),
              SizeIs(2));
  EXPECT_THAT(
      table(run({"recommend", "run", "--new-users", "people.tsv", "--all", "-k", "1"}), kHeader),
      SizeIs(26));
  // New users among new items.
  const auto both = table(run({"recommend", "run", "--new-users", "people.tsv", "--new-items",
                               "films.tsv", "-k", "22"}),
                          kHeader);
  ASSERT_THAT(both, SizeIs(44));
  EXPECT_LT(rank_of(both, "new tears", "new drama"), rank_of(both, "new tears", "new horror"));
  EXPECT_GT(rank_of(both, "new fear", "new drama"), rank_of(both, "new fear", "new horror"));
}

TEST_F(FeaturesOnTheCommandLine, AudienceIsTheBestUsersOfNewItems) {
  train_well({"--set", "model.message_dropout=0.3"});
  const auto rows = table(run({"recommend", "run", "--new-items", "films.tsv", "--audience"}),
                          "item\trank\tuser\tscore");
  ASSERT_THAT(rows, SizeIs(40));
  int right = 0;
  for (std::size_t i = 0; i < 40; ++i) {
    EXPECT_EQ(rows[i][0], i < 20 ? "new drama" : "new horror");
    EXPECT_EQ(rows[i][1], std::to_string(i % 20 + 1));
    if (i % 20 > 0) {
      EXPECT_LE(std::stod(rows[i][3]), std::stod(rows[i - 1][3]));
    }
    if (i % 20 < 10) right += rows[i][2].starts_with(i < 20 ? "drama fan" : "horror fan") ? 1 : 0;
  }
  EXPECT_GE(right, 18);
  // The scores equal those of the users' lists.
  const auto lists = table(run({"recommend", "run", "--all", "-k", "22", "--include-observed",
                                "--new-items", "films.tsv"}),
                           kHeader);
  for (const auto& row : rows) {
    for (const auto& other : lists) {
      if (other[0] == row[2] && other[2] == row[0]) {
        EXPECT_NEAR(std::stod(other[3]), std::stod(row[3]), 1e-5);
      }
    }
  }
  const Outcome json_lines = run({"recommend", "run", "--new-items", "films.tsv", "--audience",
                                  "--format", "jsonl", "-k", "2"});
  ASSERT_EQ(json_lines.exit_code, 0) << json_lines.err;
  ASSERT_THAT(lines(json_lines.out), SizeIs(2));
  EXPECT_EQ(json::parse(lines(json_lines.out)[0])["item"], "new drama");
}

TEST_F(FeaturesOnTheCommandLine, PlaceNewNodesWhereIdsAreLearnedToo) {
  train_well({"--set", "model.inputs=both", "model.message_dropout=0.3"});
  const TensorFile file = read_safetensors(path(checkpoint("run", "best-")));
  EXPECT_EQ(file.tensors.at("item_embedding").shape, (std::vector<std::int64_t>{20, 8}));
  const auto rows = table(run({"recommend", "run", "--new-users", "people.tsv", "--new-items",
                               "films.tsv", "-k", "22"}),
                          kHeader);
  ASSERT_THAT(rows, SizeIs(44));
  EXPECT_LT(rank_of(rows, "new tears", "new drama"), rank_of(rows, "new tears", "new horror"));
  EXPECT_GT(rank_of(rows, "new fear", "new drama"), rank_of(rows, "new fear", "new horror"));
}

TEST_F(FeaturesOnTheCommandLine, NewItemsHaveNeighbours) {
  train_well({"--set", "model.message_dropout=0.3"});
  const auto rows = table(run({"similar", "run", "--new-items", "films.tsv", "--item", "new drama",
                               "drama-0", "-k", "21"}),
                          "item\trank\tneighbour\tcosine");
  ASSERT_THAT(rows, SizeIs(42));
  EXPECT_EQ(rows[0][0], "new drama");
  EXPECT_THAT(rows[0][2], testing::StartsWith("drama-"));
  int found = 0;
  for (std::size_t i = 21; i < 42; ++i) found += rows[i][2] == "new drama" ? 1 : 0;
  EXPECT_EQ(found, 1);
  EXPECT_THAT(
      table(run({"similar", "run", "--new-users", "people.tsv", "--user", "new fear", "-k", "3"}),
            "user\trank\tneighbour\tcosine"),
      SizeIs(3));
  EXPECT_THAT(run({"similar", "run", "--item", "new drama"}),
              FailsAtOnceWith(65, "there is no item \"new drama\""));
}

TEST_F(FeaturesOnTheCommandLine, NotesWhatNewNodesBringInVain) {
  train_well();
  write("odd.tsv", "film\tkind\tcolour\nodd one\tmusical\tred\n");
  const std::vector<std::string> command{"recommend", "run",         "--all",  "-k",
                                         "1",         "--new-items", "odd.tsv"};
  const Outcome outcome = run(command);
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(
      lines(outcome.err),
      Contains(HasSubstr("values of kind that training does not have, left out: 1 (musical)")));
  EXPECT_THAT(lines(outcome.err), Contains(HasSubstr("left out: colour.")));
  EXPECT_THAT(
      lines(outcome.err),
      Contains(HasSubstr("new items whose categories are all unknown to training: 1 of 1.")));
  EXPECT_THAT(outcome.out, Not(IsEmpty()));
  std::vector<std::string> quiet = command;
  quiet.push_back("--quiet");
  EXPECT_THAT(run(quiet).err, IsEmpty());
}

TEST_F(FeaturesOnTheCommandLine, RefuseNewNodesThatCannotBePlaced) {
  train_well();
  EXPECT_THAT(run({"recommend", "run", "--new-items", "none.tsv", "--all"}),
              FailsAtOnceWith(65,
                              "none.tsv: no such file, expected a table of new items, .tsv or "
                              ".csv"));
  EXPECT_THAT(run({"recommend", "run", "--new-items", "-", "--all"}),
              FailsAtOnceWith(2,
                              "--new-items: standard input has no name that shows the format, "
                              "expected a file, .tsv or .csv"));
  write("known.tsv", "film\tkind\nx\tdrama\ndrama-4\tdrama\n");
  EXPECT_THAT(run({"recommend", "run", "--new-items", "known.tsv", "--all"}),
              FailsAtOnceWith(65, "known.tsv:3: id \"drama-4\" is known from training"));
  write("words.tsv", "film\tyear\nw\t1999\nx\tlong ago\n");
  EXPECT_THAT(run({"similar", "run", "--new-items", "words.tsv", "--item", "x"}),
              FailsWith(65,
                        "words.tsv:3: column \"year\" has \"long ago\", expected a number as in "
                        "training"));
  std::filesystem::remove(path("films/user_features.tsv"));
  train_well({"--overwrite"});
  EXPECT_THAT(run({"recommend", "run", "--new-users", "people.tsv"}),
              FailsAtOnceWith(65, "no features of users"));
}

TEST_F(FeaturesOnTheCommandLine, RefuseNewNodesOfRunsThatKnowIdsAlone) {
  write_films();
  for (const std::vector<std::string>& model : {std::vector<std::string>{"--model", "lightgcn"},
                                                {"--model", "gcmc", "--set", "model.inputs=ids"}}) {
    std::vector<std::string> more{"--quiet", "--overwrite"};
    more.insert(more.end(), model.begin(), model.end());
    ASSERT_EQ(train_films(more).exit_code, 0);
    EXPECT_THAT(run({"recommend", "run", "--all", "--new-items", "films.tsv"}),
                FailsAtOnceWith(2, "--new-items: the run's model is " + model[1] +
                                       ", which knows nodes only by their ids"));
    EXPECT_THAT(run({"recommend", "run", "--new-users", "people.tsv"}),
                FailsAtOnceWith(2, "--new-users: the run's model is " + model[1]));
    EXPECT_THAT(run({"similar", "run", "--item", "drama-0", "--new-items", "films.tsv"}),
                FailsAtOnceWith(2, "--new-items: the run's model is " + model[1]));
  }
}

TEST_F(FeaturesOnTheCommandLine, RefuseOptionsThatDoNotGoTogether) {
  train_well();
  EXPECT_THAT(run({"recommend", "run"}), FailsAtOnceWith(2, "no users: expected one of"));
  EXPECT_THAT(run({"recommend", "run", "--new-items", "films.tsv"}),
              FailsAtOnceWith(2, "no users: expected one of"));
  EXPECT_THAT(run({"recommend", "run", "--audience"}),
              FailsAtOnceWith(2, "expected --new-items FILE"));
  EXPECT_THAT(run({"recommend", "run", "--audience", "--new-users", "people.tsv"}),
              FailsAtOnceWith(2, "expected --new-items FILE"));
  for (const std::vector<std::string>& extra :
       {std::vector<std::string>{"--all"}, {"--user", "drama fan 0"}, {"--mark-held-out"}}) {
    std::vector<std::string> arguments{"recommend", "run", "--audience", "--new-items",
                                       "films.tsv"};
    arguments.insert(arguments.end(), extra.begin(), extra.end());
    EXPECT_THAT(run(arguments), FailsAtOnceWith(2, "--audience ranks all users"));
  }
  EXPECT_THAT(run({"recommend", "run", "--audience", "--new-items", "films.tsv", "-k", "25"}),
              FailsWith(2, "-k: found 25, but the run has only 24 users"));
}

}  // namespace
}  // namespace tern::test
