// tern recommend and tern similar, with string ids.

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/cli/workspace.hpp"

namespace tern::test {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class Recommend : public Workspace {
 protected:
  void SetUp() override {
    const Outcome outcome = train_films({"--quiet"});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  }
  // The rows of a TSV output, whose header is checked.
  std::vector<std::vector<std::string>> table(const Outcome& outcome,
                                              const std::string& header) const {
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_THAT(outcome.err, IsEmpty());
    std::vector<std::vector<std::string>> rows;
    for (const std::string& line : lines(outcome.out)) rows.push_back(cells(line));
    EXPECT_FALSE(rows.empty());
    if (rows.empty()) return rows;
    EXPECT_EQ(lines(outcome.out)[0], header);
    rows.erase(rows.begin());
    return rows;
  }
  static constexpr const char* kHeader = "user\trank\titem\tscore\tsource";
};

TEST_F(Recommend, RanksWhatAUserHasNotSeen) {
  const auto rows =
      table(run({"recommend", "run", "--user", "drama fan 2", "horror fan 3", "-k", "3"}), kHeader);
  ASSERT_THAT(rows, SizeIs(6));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    ASSERT_THAT(rows[i], SizeIs(5));
    EXPECT_EQ(rows[i][4], "model");
    EXPECT_EQ(rows[i][0], i < 3 ? "drama fan 2" : "horror fan 3");
    EXPECT_EQ(rows[i][1], std::to_string(i % 3 + 1));
    if (i % 3 > 0) {
      EXPECT_LE(std::stod(rows[i][3]), std::stod(rows[i - 1][3]));
    }
  }
  EXPECT_THAT(rows[0][2], testing::StartsWith("drama-"));
  EXPECT_THAT(rows[3][2], testing::StartsWith("horror-"));
}

TEST_F(Recommend, LeavesOutTrainingAndValidationItemsUnlessAsked) {
  // All 20 films, with the observed ones; without them, the films that are at most in the test split.
  const auto all =
      table(run({"recommend", "run", "--user", "drama fan 4", "-k", "20", "--include-observed"}),
            kHeader);
  EXPECT_THAT(all, SizeIs(20));
  const auto unseen =
      table(run({"recommend", "run", "--user", "drama fan 4", "-k", "20"}), kHeader);
  std::set<std::string> liked;
  for (const std::string& line : lines(read("films/interactions.tsv"))) {
    if (cells(line)[0] == "drama fan 4") liked.insert(cells(line)[1]);
  }
  std::size_t held_out = 0;
  for (const auto& row : unseen) held_out += liked.count(row[2]);
  // Listed films that the user has watched are those of the test split.
  const auto marked =
      table(run({"recommend", "run", "--user", "drama fan 4", "-k", "20", "--mark-held-out"}),
            "user\trank\titem\tscore\theld_out\tsource");
  ASSERT_EQ(marked.size(), unseen.size());
  for (std::size_t i = 0; i < marked.size(); ++i) {
    ASSERT_THAT(marked[i], SizeIs(6));
    EXPECT_EQ(marked[i][2], unseen[i][2]);
    EXPECT_EQ(marked[i][4], liked.contains(marked[i][2]) ? "yes" : "no");
  }
  const Outcome json_lines = run({"recommend", "run", "--user", "drama fan 4", "-k", "20",
                                  "--mark-held-out", "--format", "jsonl"});
  const json object = json::parse(json_lines.out);
  for (std::size_t i = 0; i < marked.size(); ++i) {
    EXPECT_EQ(object["items"][i]["held_out"], marked[i][4] == "yes");
  }
  EXPECT_EQ(unseen.size(), 20 - liked.size() + held_out);
  EXPECT_GE(held_out, 1u);
  EXPECT_LT(held_out, liked.size());
}

TEST_F(Recommend, TakesUsersFromAFileFromStandardInputOrAll) {
  write("who.txt", "\xEF\xBB\xBFhorror fan 1\r\n\ndrama fan 0");
  const Outcome from_file = run({"recommend", "run", "--users", "who.txt", "-k", "1"});
  ASSERT_THAT(table(from_file, kHeader), SizeIs(2));
  Streams streams;
  streams.in = "horror fan 1\ndrama fan 0\n";
  EXPECT_EQ(run({"recommend", "run", "--users", "-", "-k", "1"}, streams).out, from_file.out);

  const Outcome all = run({"recommend", "run", "--all", "-k", "1"});
  EXPECT_THAT(table(all, kHeader), SizeIs(24));
  const Outcome to_file = run({"recommend", "run", "--all", "-k", "1", "-o", "out.tsv"});
  EXPECT_EQ(to_file.exit_code, 0);
  EXPECT_THAT(to_file.out, IsEmpty());
  EXPECT_EQ(read("out.tsv"), all.out);
  for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
    EXPECT_THAT(entry.path().string(), Not(HasSubstr("partial")));
  }
}

TEST_F(Recommend, WritesJsonLines) {
  const Outcome tsv = run({"recommend", "run", "--all", "-k", "2"});
  const Outcome jsonl = run({"recommend", "run", "--all", "-k", "2", "--format", "jsonl"});
  ASSERT_EQ(jsonl.exit_code, 0) << jsonl.err;
  std::string as_tsv = std::string(kHeader) + "\n";
  for (const std::string& line : lines(jsonl.out)) {
    const json object = json::parse(line);
    int rank = 0;
    for (const json& item : object["items"]) {
      as_tsv += object["user"].get<std::string>() + "\t" + std::to_string(++rank) + "\t" +
                item["item"].get<std::string>() + "\t";
      // Equal texts: both are the shortest that read back as the score.
      const std::size_t at = line.find("\"score\":", line.find(item["item"].dump()));
      as_tsv += line.substr(at + 8, line.find('}', at) - at - 8) + "\t" +
                object["source"].get<std::string>() + "\n";
    }
  }
  EXPECT_EQ(as_tsv, tsv.out);
}

TEST_F(Recommend, TakesIdsAsTheyAre) {
  write("odd/interactions.tsv",
        "user\titem\n[a,b]\tx=1\n[a,b]\t-y\n[deleted]\tx=1\n[deleted]\t\"z\"\n");
  ASSERT_EQ(run({"train", "odd", "--out", "odd_run", "--epochs", "1", "--quiet", "--set",
                 "evaluation.ks=1", "train.metric=ndcg@1", "data.test_fraction=0",
                 "data.valid_fraction=0"})
                .exit_code,
            0);
  const auto rows = table(run({"recommend", "odd_run", "--user", "[a,b]", "[deleted]", "-k", "3",
                               "--include-observed"}),
                          kHeader);
  ASSERT_THAT(rows, SizeIs(6));
  EXPECT_EQ(rows[0][0], "[a,b]");
  EXPECT_EQ(rows[3][0], "[deleted]");
  EXPECT_THAT(
      table(run({"similar", "odd_run", "--item=-y", "-k", "2"}), "item\trank\tneighbour\tcosine"),
      SizeIs(2));
}

TEST_F(Recommend, NamesTheNearestIds) {
  EXPECT_THAT(run({"recommend", "run", "--user", "drama fun 2"}),
              FailsAtOnceWith(65,
                              "--user: there is no user \"drama fun 2\"; the most similar: \"drama "
                              "fan 2\""));
  EXPECT_THAT(run({"recommend", "run", "--users", "none.txt"}), FailsAtOnceWith(65, "none.txt"));
  EXPECT_THAT(run({"similar", "run", "--item", "drama-99"}),
              FailsAtOnceWith(65, "--item: there is no item \"drama-99\""));
  write("empty.txt", "\n");
  EXPECT_THAT(run({"recommend", "run", "--users", "empty.txt"}),
              FailsAtOnceWith(65, "empty.txt: the file lists no users"));
}

TEST_F(Recommend, LeavesOutUnknownUsers) {
  write("known.txt", "drama fan 0\nhorror fan 1\n");
  write("who.txt", "nobody\ndrama fan 0\na\nhorror fan 1\n\nb\nc\n");
  const Outcome known = run({"recommend", "run", "--users", "known.txt", "-k", "2"});
  const Outcome some = run({"recommend", "run", "--users", "who.txt", "-k", "2"});
  EXPECT_EQ(some.exit_code, 0);
  EXPECT_EQ(some.out, known.out);
  EXPECT_EQ(some.err,
            "who.txt: users that are unknown to the run and left out: 4 of 6: \"nobody\" (line 1), "
            "\"a\" (line 3), \"b\" (line 6), ...\n");
  const Outcome named =
      run({"recommend", "run", "--user", "x", "drama fan 0", "horror fan 1", "-k", "2"});
  EXPECT_EQ(named.exit_code, 0);
  EXPECT_EQ(named.out, known.out);
  EXPECT_EQ(named.err, "--user: users that are unknown to the run and left out: 1 of 3: \"x\"\n");

  write("strangers.txt", "\nnobody\nanybody\n");
  EXPECT_THAT(run({"recommend", "run", "--users", "strangers.txt"}),
              FailsAtOnceWith(65, "strangers.txt:2: there is no user \"nobody\""));
  EXPECT_THAT(run({"recommend", "run", "--users", "strangers.txt"}),
              FailsAtOnceWith(65, "; none of the 2 users is known"));
}

TEST_F(Recommend, RanksOnlyTheCandidates) {
  const std::set<std::string> candidates{"horror-1", "drama-0", "drama-6", "drama-18", "horror-7"};
  write("some.txt", "horror-1\ndrama-6\ndrama-0\n\ndrama-0\nno film\nhorror-7\ndrama-18\n");
  for (const char* option : {"--include-observed", "--mark-held-out"}) {
    const Outcome full = run({"recommend", "run", "--all", "-k", "20", option});
    std::string expected;
    std::string user;
    int rank = 0;
    for (const std::string& line : lines(full.out)) {
      std::vector<std::string> row = cells(line);
      if (!candidates.contains(row[2]) && !expected.empty()) continue;
      rank = row[0] == user ? rank + 1 : 1;
      user = row[0];
      if (!expected.empty()) row[1] = std::to_string(rank);
      for (std::size_t c = 0; c < row.size(); ++c) expected += (c == 0 ? "" : "\t") + row[c];
      expected += "\n";
    }
    const Outcome some =
        run({"recommend", "run", "--all", "-k", "20", option, "--candidates", "some.txt"});
    EXPECT_EQ(some.exit_code, 0);
    EXPECT_EQ(some.out, expected);
    EXPECT_EQ(some.err,
              "some.txt: items that are unknown to the run and left out: 1 of 7: \"no film\" (line "
              "6)\n");
  }
  Streams streams;
  streams.in = "drama-6\ndrama-0\n";
  const Outcome best = run({"recommend", "run", "--user", "drama fan 2", "--include-observed", "-k",
                            "1", "--candidates", "-"},
                           streams);
  EXPECT_THAT(table(best, kHeader), SizeIs(1));

  write("strangers.txt", "no film\n");
  write("empty.txt", "\n");
  const auto ask = [&](const std::string& file) {
    return run({"recommend", "run", "--all", "--candidates", file});
  };
  EXPECT_THAT(ask("strangers.txt"), FailsAtOnceWith(65, "strangers.txt:1: there is no item"));
  EXPECT_THAT(ask("empty.txt"), FailsAtOnceWith(65, "empty.txt: the file lists no items"));
  EXPECT_THAT(run({"recommend", "run", "--users", "-", "--candidates", "-"}),
              FailsAtOnceWith(2, "only one can be standard input"));
}

TEST_F(Recommend, KeepsIdsApartThatAreEqualAsFloatingPointNumbers) {
  // As f64, both are 9148955329465708544.
  const std::string first = "9148955329465708066";
  const std::string second = "9148955329465708067";
  std::string text = "user_id,item_id\n";
  for (int n = 0; n < 6; ++n) {
    text += (n < 3 ? first : second) + "," + (n % 2 == 0 ? second : first) + "\n";
    text += (n < 3 ? first : second) + "," + std::to_string(n) + "\n";
  }
  write("large/interactions.csv", text);
  ASSERT_EQ(run({"train", "large", "--out", "large_run", "--epochs", "1", "--quiet", "--set",
                 "evaluation.ks=1", "train.metric=ndcg@1", "data.test_fraction=0",
                 "data.valid_fraction=0"})
                .exit_code,
            0);
  EXPECT_EQ(read("large_run/users.tsv"), first + "\n" + second + "\n");
  const auto rows = table(
      run({"recommend", "large_run", "--user", second, first, "-k", "8", "--include-observed"}),
      kHeader);
  ASSERT_THAT(rows, SizeIs(16));
  std::multiset<std::string> listed;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i][0], i < 8 ? second : first);
    listed.insert(rows[i][2]);
  }
  EXPECT_EQ(listed.count(first), 2u);
  EXPECT_EQ(listed.count(second), 2u);
  const Outcome jsonl = run({"recommend", "large_run", "--user", second, first, "-k", "8",
                             "--include-observed", "--format", "jsonl"});
  ASSERT_THAT(lines(jsonl.out), SizeIs(2));
  for (std::size_t line = 0; line < 2; ++line) {
    const json object = json::parse(lines(jsonl.out)[line]);
    EXPECT_EQ(object["user"], line == 0 ? second : first);
    for (std::size_t i = 0; i < 8; ++i)
      EXPECT_EQ(object["items"][i]["item"], rows[line * 8 + i][2]);
  }
}

TEST_F(Recommend, RefusesListsLongerThanTheCatalogue) {
  // The default of 20 is no error: it means at most 20.
  EXPECT_THAT(table(run({"similar", "run", "--item", "drama-0"}), "item\trank\tneighbour\tcosine"),
              SizeIs(19));
  EXPECT_THAT(run({"recommend", "run", "--all", "-k", "21"}),
              FailsAtOnceWith(2, "-k: found 21, but the run has only 20 items"));
  EXPECT_THAT(run({"recommend", "run", "--all", "-k", "0"}), FailsAtOnceWith(2, "at least 1"));
  EXPECT_THAT(run({"recommend", "run", "--all", "-k", "-5"}), FailsAtOnceWith(2, "at least 1"));
  EXPECT_THAT(run({"similar", "run", "--item", "drama-0", "-k", "20"}),
              FailsAtOnceWith(2, "-k: found 20, but the run has only 19 other items"));
}

TEST_F(Recommend, SurvivesItsReaderAndReportsAFullDisk) {
  Streams gone;
  gone.close_out = true;
  const Outcome outcome = run({"recommend", "run", "--all", "-k", "20"}, gone);
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.err, IsEmpty());
  Streams full;
  full.out_to = "/dev/full";
  EXPECT_THAT(run({"recommend", "run", "--all"}, full), FailsAtOnceWith(1, "No space left"));
  EXPECT_THAT(run({"recommend", "run", "--all", "-o", "/dev/full"}),
              FailsAtOnceWith(1, "/dev/full: No space left"));
  EXPECT_THAT(run({"recommend", "run", "--all", "-o", "no/such/place"}),
              FailsAtOnceWith(1, "no/such/place: No such file"));
}

TEST_F(Recommend, SimilarIsTheCosineOfExportedRows) {
  const auto rows = table(run({"similar", "run", "--item", "horror-1", "-k", "19"}),
                          "item\trank\tneighbour\tcosine");
  ASSERT_THAT(rows, SizeIs(19));
  ASSERT_EQ(run({"export", "run", "--to", "out", "--format", "word2vec"}).exit_code, 1)
      << "ids with a space do not fit the format";
  ASSERT_EQ(run({"export", "run", "--to", "out", "--format", "npy"}).exit_code, 0);

  std::map<std::string, std::vector<float>> embeddings;
  const std::string npy = read("out/item_embeddings.npy");
  const std::vector<std::string> names = lines(read("out/items.tsv"));
  ASSERT_THAT(names, SizeIs(20));
  for (std::size_t r = 0; r < names.size(); ++r) {
    std::vector<float> row(8);
    std::memcpy(row.data(), npy.data() + npy.size() - (20 - r) * 8 * sizeof(float),
                8 * sizeof(float));
    embeddings[names[r]] = row;
  }
  const auto dot = [](const std::vector<float>& a, const std::vector<float>& b) {
    double sum = 0.0;
    for (std::size_t d = 0; d < a.size(); ++d) sum += static_cast<double>(a[d]) * b[d];
    return sum;
  };
  const std::vector<float>& query = embeddings.at("horror-1");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    ASSERT_THAT(rows[i], SizeIs(4));
    EXPECT_NE(rows[i][2], "horror-1");
    const std::vector<float>& other = embeddings.at(rows[i][2]);
    const double cosine = dot(query, other) / std::sqrt(dot(query, query) * dot(other, other));
    EXPECT_NEAR(std::stod(rows[i][3]), cosine, 1e-6);
    if (i > 0) {
      EXPECT_LE(std::stod(rows[i][3]), std::stod(rows[i - 1][3]));
    }
  }
  EXPECT_THAT(rows[0][2], testing::StartsWith("horror-"));
  EXPECT_THAT(rows[18][2], testing::StartsWith("drama-"));
}

TEST_F(Recommend, SimilarUsers) {
  const auto rows = table(run({"similar", "run", "--user", "drama fan 2", "-k", "5"}),
                          "user\trank\tneighbour\tcosine");
  ASSERT_THAT(rows, SizeIs(5));
  EXPECT_THAT(rows[0][2], testing::StartsWith("drama fan"));
  EXPECT_THAT(run({"similar", "run", "--user", "drama fan 2", "--item", "drama-0"}),
              FailsAtOnceWith(2, "either --item"));
}

}  // namespace
}  // namespace tern::test
