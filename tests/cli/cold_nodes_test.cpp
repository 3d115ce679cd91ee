// Users and items without training interactions, in recommend and similar.

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/cli/list_workspace.hpp"

namespace tern::test {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr const char* kPopularityNote =
    "users without training interactions, ranked by popularity: 1 of ";
constexpr const char* kColdItemsNote =
    "items without training interactions, left out unless --cold is given: 1 of 21\n";

class ColdNodes : public ListWorkspace {
 protected:
  /// The films as a training set. The newcomer is only in the other splits, and so is the new film.
  void train(const std::string& model) const {
    write_films();
    write("given/train.tsv", read("films/interactions.tsv"));
    write("given/valid.tsv", "user\titem\nnewcomer\tdrama-0\ndrama fan 2\tdrama-18\n");
    write("given/test.tsv", "user\titem\nnewcomer\tdrama-2\ndrama fan 0\tnew film\n");
    const Outcome outcome =
        run({"train", "given", "--out", "run", "--overwrite", "--quiet", "--model", model,
             "--epochs", "5", "--set", "model.width=8", "train.batch_size=64", "evaluation.ks=[2]",
             "train.metric=ndcg@2"});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  }
  void write_item_features() const {
    std::string films = "film\tkind\nnew film\tdrama\n";
    for (int n = 0; n < 20; ++n) films += film_name(n) + (n % 2 == 0 ? "\tdrama\n" : "\thorror\n");
    write("given/item_features.tsv", films);
  }
  void write_user_features() const {
    std::string people = "person\ttaste\nnewcomer\ttears\n";
    for (int n = 0; n < 24; ++n) people += person_name(n) + (n % 2 == 0 ? "\ttears\n" : "\tfear\n");
    write("given/user_features.tsv", people);
  }

  Outcome recommend(std::vector<std::string> more) const {
    more.insert(more.begin(), {"recommend", "run", "-k", "21"});
    return run(more);
  }
  /// The films by descending number of training interactions, without drama-0, as rows of the output.
  Rows popular_films() const {
    std::map<std::string, int> counts;
    std::vector<std::string> films;  // in order of first appearance: the order of ids
    for (const std::string& line : lines(read("films/interactions.tsv"))) {
      const std::string film = cells(line)[1];
      if (film != "item" && counts[film]++ == 0) films.push_back(film);
    }
    std::stable_sort(films.begin(), films.end(), [&](const std::string& a, const std::string& b) {
      return counts[a] > counts[b];
    });
    std::erase(films, "drama-0");
    Rows rows;
    for (const std::string& film : films) {
      rows.push_back({"newcomer", std::to_string(rows.size() + 1), film,
                      std::to_string(counts[film]), "popularity"});
    }
    return rows;
  }
};

TEST_F(ColdNodes, GetThePopularItemsAndAreNotListed) {
  for (const char* model : {"lightgcn", "mf", "gcmc"}) {
    SCOPED_TRACE(model);
    train(model);
    const Outcome some = recommend({"--user", "newcomer", "drama fan 0"});
    EXPECT_THAT(some.err, AllOf(HasSubstr(kPopularityNote), HasSubstr("1 of 2\n"),
                                HasSubstr(kColdItemsNote)));
    EXPECT_THAT(lines(some.err), SizeIs(2));
    EXPECT_EQ(lines(some.out)[0], "user\trank\titem\tscore\tsource");
    EXPECT_EQ(rows_of(some, "newcomer"), popular_films());
    const Rows fan = rows_of(some, "drama fan 0");
    EXPECT_THAT(fan, Not(IsEmpty()));
    EXPECT_THAT(column(fan, 4), Each("model"));
    EXPECT_THAT(column(fan, 2), Not(Contains("new film")));

    const Outcome alone = recommend({"--user", "newcomer", "--quiet"});
    EXPECT_THAT(alone.err, IsEmpty());
    EXPECT_EQ(rows_of(alone, "newcomer"), popular_films());
    EXPECT_EQ(rows_of(recommend({"--all"}), "drama fan 0"), fan);
  }
}

TEST_F(ColdNodes, AreListedIfAsked) {
  train("lightgcn");
  const Outcome outcome = recommend({"--user", "newcomer", "drama fan 0", "--cold"});
  EXPECT_THAT(outcome.err, AllOf(HasSubstr(kPopularityNote), Not(HasSubstr("items"))));
  Rows expected = popular_films();
  expected.push_back({"newcomer", "20", "new film", "0", "popularity"});
  EXPECT_EQ(rows_of(outcome, "newcomer"), expected);
  EXPECT_THAT(column(rows_of(outcome, "drama fan 0"), 2), Contains("new film"));
  const Outcome observed = recommend({"--user", "newcomer", "--include-observed", "--quiet"});
  EXPECT_THAT(column(rows_of(observed, "newcomer"), 2), AllOf(SizeIs(20), Contains("drama-0")));
}

TEST_F(ColdNodes, AmongCandidates) {
  train("mf");
  write("some.txt", "new film\nhorror-1\ndrama-0\nhorror-3\n");
  const Outcome outcome =
      recommend({"--user", "newcomer", "drama fan 0", "--candidates", "some.txt"});
  EXPECT_THAT(outcome.err, AllOf(HasSubstr(kPopularityNote), HasSubstr("is given: 1 of 4\n")));
  Rows expected = popular_films();
  std::erase_if(expected,
                [](const auto& row) { return row[2] != "horror-1" && row[2] != "horror-3"; });
  for (std::size_t i = 0; i < expected.size(); ++i) expected[i][1] = std::to_string(i + 1);
  EXPECT_EQ(rows_of(outcome, "newcomer"), expected);
  write("cold.txt", "new film\n");
  EXPECT_THAT(recommend({"--all", "--candidates", "cold.txt"}),
              FailsWith(65, "cold.txt: none of the items has training interactions"));
  const Outcome cold = recommend({"--all", "--candidates", "cold.txt", "--cold"});
  EXPECT_THAT(rows_of(cold, "drama fan 0"), SizeIs(1));
}

TEST_F(ColdNodes, AreMarkedInJsonAndBesideTheHeldOutItems) {
  train("mf");
  const Outcome jsonl =
      recommend({"--user", "newcomer", "drama fan 0", "--format", "jsonl", "--quiet"});
  ASSERT_THAT(lines(jsonl.out), SizeIs(2));
  EXPECT_EQ(json::parse(lines(jsonl.out)[0])["source"], "popularity");
  EXPECT_EQ(json::parse(lines(jsonl.out)[1])["source"], "model");
  const Outcome marked = recommend({"--user", "newcomer", "--mark-held-out", "--quiet"});
  EXPECT_EQ(lines(marked.out)[0], "user\trank\titem\tscore\theld_out\tsource");
  for (const auto& row : rows_of(marked, "newcomer")) {
    EXPECT_EQ(row[4], row[2] == "drama-2" ? "yes" : "no");
    EXPECT_EQ(row[5], "popularity");
  }
}

TEST_F(ColdNodes, AreNoNeighbours) {
  train("lightgcn");
  const auto neighbours = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"similar", "run"});
    const Outcome outcome = run(more);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    Rows rows;
    for (const std::string& line : lines(outcome.out)) rows.push_back(cells(line));
    rows.erase(rows.begin());
    return rows;
  };
  const Rows films = neighbours({"--item", "drama-0", "-k", "20"});
  EXPECT_THAT(column(films, 2), AllOf(SizeIs(19), Not(Contains("new film"))));
  EXPECT_THAT(run({"similar", "run", "--item", "drama-0"}).err, HasSubstr(kColdItemsNote));
  EXPECT_EQ(neighbours({"--item", "new film", "drama-0", "-k", "20"}), films);
  EXPECT_THAT(run({"similar", "run", "--item", "new film", "drama-0"}).err,
              HasSubstr("--item: items without training interactions, left out unless --cold is "
                        "given: 1 of 2\n"));
  EXPECT_THAT(run({"similar", "run", "--item", "new film"}),
              FailsWith(65, "--item: \"new film\" has no training interactions"));
  EXPECT_THAT(column(neighbours({"--item", "drama-0", "--cold", "-k", "20"}), 2),
              AllOf(SizeIs(20), Contains("new film")));
  EXPECT_THAT(neighbours({"--item", "new film", "--cold", "-k", "20"}), SizeIs(20));
  EXPECT_THAT(column(neighbours({"--user", "drama fan 0", "-k", "24"}), 2),
              AllOf(SizeIs(23), Not(Contains("newcomer"))));
}

TEST_F(ColdNodes, ArePlacedByFeaturesOfTheirSide) {
  write_item_features();
  train("gcmc");
  const Outcome by_item = recommend({"--user", "newcomer", "drama fan 0"});
  EXPECT_THAT(by_item.err, AllOf(HasSubstr(kPopularityNote), Not(HasSubstr("items without"))));
  EXPECT_THAT(column(rows_of(by_item, "drama fan 0"), 2), Contains("new film"));
  EXPECT_THAT(column(rows_of(by_item, "newcomer"), 4), Each("popularity"));

  write_user_features();
  train("gcmc");
  const Outcome by_both = recommend({"--user", "newcomer", "drama fan 0"});
  EXPECT_THAT(by_both.err, IsEmpty());
  EXPECT_THAT(column(rows_of(by_both, "newcomer"), 4), AllOf(SizeIs(20), Each("model")));
  EXPECT_THAT(column(rows_of(by_both, "newcomer"), 2), Contains("new film"));
  // The other models do not read them.
  train("lightgcn");
  EXPECT_THAT(column(rows_of(recommend({"--user", "newcomer"}), "newcomer"), 4),
              Each("popularity"));
}

TEST_F(ColdNodes, AreNotEvaluatedWithoutFeatures) {
  for (const std::string model : {"gcmc", "lightgcn", "mf"}) {
    const Outcome outcome =
        train_films({"--quiet", "--overwrite", "--model", model, "--set", "data.split=cold-items",
                     "data.test_fraction=0.3", "model.inputs=ids"});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_THAT(
        run({"evaluate", "run", "--cold", "-k", "2"}),
        FailsAtOnceWith(2, "--cold: the run's model is " + model +
                               ", which reads no features "
                               "of items, so that items without a training interaction have "
                               "random embeddings; expected a gcmc with item features"));
  }
}

}  // namespace
}  // namespace tern::test
