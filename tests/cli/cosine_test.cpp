// evaluation.score = cosine: every command that ranks or scores, of one run by both scores.

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "tern/tensor_file.hpp"
#include "tests/cli/workspace.hpp"

namespace tern::test {
namespace {

using testing::Each;
using testing::HasSubstr;
using testing::SizeIs;

class CosineRun : public Workspace {
 protected:
  using Embedding = std::vector<float>;

  /// A run that ranks by cosine, and "dot", the same run ranking by dot product.
  void SetUp() override {
    const Outcome outcome = train_films({"--quiet", "--set", "evaluation.score=cosine"});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    std::filesystem::copy(path("run"), path("dot"), std::filesystem::copy_options::recursive);
    std::string config = read("run/config.toml");
    const std::string line = "score = \"cosine\"";
    ASSERT_THAT(config, HasSubstr(line));
    write("dot/config.toml", config.replace(config.find(line), line.size(), "score = \"dot\""));
    users_ = rows_of("user");
    items_ = rows_of("item");
  }

  std::map<std::string, Embedding> rows_of(const std::string& side) const {
    const Outcome outcome = run({"export", "run", "--to", "out", "--quiet"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    const Tensor table = read_npy(path("out/" + side + "_embeddings.npy"));
    const auto& values = std::get<Embedding>(table.values);
    std::map<std::string, Embedding> rows;
    auto at = values.begin();
    for (const std::string& name : lines(read("out/" + side + "s.tsv"))) {
      rows[name] = Embedding(at, at + table.shape[1]);
      at += table.shape[1];
    }
    return rows;
  }
  static double dot(const Embedding& a, const Embedding& b) {
    double sum = 0.0;
    for (std::size_t d = 0; d < a.size(); ++d) sum += static_cast<double>(a[d]) * b[d];
    return sum;
  }
  static double cosine(const Embedding& a, const Embedding& b) {
    return dot(a, b) / std::sqrt(dot(a, a) * dot(b, b));
  }

  /// The lists of a command's output by user (the first column): pairs of item and score.
  using Lists = std::map<std::string, std::vector<std::pair<std::string, double>>>;
  Lists lists_of(const std::vector<std::string>& arguments) const {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    Lists lists;
    const std::vector<std::string> rows = lines(outcome.out);
    for (std::size_t row = 1; row < rows.size(); ++row) {
      const std::vector<std::string> of = cells(rows[row]);
      lists[of[0]].emplace_back(of[2], std::stod(of[3]));
    }
    return lists;
  }

  std::map<std::string, Embedding> users_;
  std::map<std::string, Embedding> items_;
};

TEST_F(CosineRun, RecommendsAndPrintsTrueCosines) {
  for (const std::string& candidates : {std::string(), std::string("some.txt")}) {
    write("some.txt", "drama-2\nhorror-3\ndrama-14\nhorror-9\ndrama-0\n");
    std::vector<std::string> arguments{"recommend", "run", "--all",
                                       "-k",        "3",   "--include-observed"};
    if (!candidates.empty()) arguments.insert(arguments.end(), {"--candidates", candidates});
    const Lists lists = lists_of(arguments);
    ASSERT_THAT(lists, SizeIs(24));
    for (const auto& [user, list] : lists) {
      std::vector<double> best;
      for (const auto& [item, row] : items_) {
        if (candidates.empty() || read("some.txt").find(item + "\n") != std::string::npos) {
          best.push_back(cosine(users_.at(user), row));
        }
      }
      std::ranges::sort(best, std::greater());
      ASSERT_THAT(list, SizeIs(3));
      for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_NEAR(list[i].second, best[i], 1e-6) << user;
        EXPECT_NEAR(list[i].second, cosine(users_.at(user), items_.at(list[i].first)), 1e-6);
      }
    }
  }
  const Lists by_dot = lists_of({"recommend", "dot", "--all", "-k", "1", "--include-observed"});
  const auto& [user, list] = *by_dot.begin();
  EXPECT_NEAR(list[0].second, dot(users_.at(user), items_.at(list[0].first)), 1e-5);
}

TEST_F(CosineRun, ScoresPairsAsItRecommends) {
  write("pairs.tsv", "drama fan 2\tdrama-4\nhorror fan 3\tdrama-6\n");
  const std::vector<std::string> scores =
      lines(run({"score", "run", "--pairs", "pairs.tsv", "--quiet"}).out);
  ASSERT_THAT(scores, SizeIs(3));
  EXPECT_NEAR(std::stod(cells(scores[1])[2]),
              cosine(users_.at("drama fan 2"), items_.at("drama-4")), 1e-6);
  EXPECT_NEAR(std::stod(cells(scores[2])[2]),
              cosine(users_.at("horror fan 3"), items_.at("drama-6")), 1e-6);
}

TEST_F(CosineRun, RanksForNewUsersByCosine) {
  write("new.csv", "user,item\nalice,drama-0\nalice,drama-6\n");
  const auto list_by = [&](const std::string& of) {
    return lists_of({"recommend", of, "--history", "new.csv", "-k", "20", "--include-observed"})
        .at("alice");
  };
  const auto by_cosine = list_by("run");
  const auto by_dot = list_by("dot");
  ASSERT_THAT(by_cosine, SizeIs(20));
  // alice's row is not printed: the ratio of both scores is her norm times the item's.
  std::map<std::string, double> dots(by_dot.begin(), by_dot.end());
  std::vector<double> norms;
  for (const auto& [item, score] : by_cosine) {
    EXPECT_LE(std::abs(score), 1.0);
    norms.push_back(dots.at(item) / score / std::sqrt(dot(items_.at(item), items_.at(item))));
  }
  EXPECT_THAT(norms, Each(testing::DoubleNear(norms[0], 1e-3 * norms[0])));
}

TEST_F(CosineRun, EvaluatesTheListsThatItRecommends) {
  for (const std::string of : {"run", "dot"}) {
    const Outcome outcome = run({"recommend", of, "--all", "-k", "5", "--mark-held-out"});
    int hits = 0;
    for (const std::string& row : lines(outcome.out)) hits += cells(row)[4] == "yes" ? 1 : 0;
    const nlohmann::json evaluated =
        nlohmann::json::parse(run({"evaluate", of, "--json", "--quiet"}).out);
    const double users = evaluated["users"];
    const double precision = evaluated["metrics"]["precision@5"];
    EXPECT_NEAR(precision, hits / (5.0 * users), 1e-9) << of;
  }
}

TEST_F(CosineRun, LeavesExportAndSimilarAsTheyAre) {
  for (const std::string of : {"run", "dot"}) {
    ASSERT_EQ(run({"export", of, "--to", "of-" + of, "--quiet"}).exit_code, 0);
  }
  EXPECT_EQ(read("of-run/item_embeddings.npy"), read("of-dot/item_embeddings.npy"));
  EXPECT_EQ(run({"similar", "run", "--item", "drama-2"}).out,
            run({"similar", "dot", "--item", "drama-2"}).out);
}

TEST_F(CosineRun, ResumesWithAnotherScoreByANewSelection) {
  const Outcome outcome =
      run({"train", "films", "--resume", "run", "--epochs", "21", "--set", "evaluation.score=dot"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("changed: evaluation.score = \"dot\", was \"cosine\""));
  EXPECT_THAT(outcome.err, testing::Not(HasSubstr("result differs")));
}

}  // namespace
}  // namespace tern::test
