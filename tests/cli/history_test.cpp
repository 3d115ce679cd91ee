// tern recommend --history: users that training has not seen.

#include <cmath>
#include <map>
#include <set>

#include "tern/tensor_file.hpp"
#include "tests/cli/list_workspace.hpp"

namespace tern::test {
namespace {

using testing::AllOf;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

using Dense = std::vector<std::vector<double>>;

Dense product(const Dense& a, const Dense& b) {
  Dense c(a.size(), std::vector<double>(b[0].size(), 0.0));
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t k = 0; k < b.size(); ++k) {
      for (std::size_t j = 0; j < b[0].size(); ++j) c[i][j] += a[i][k] * b[k][j];
    }
  }
  return c;
}

class History : public ListWorkspace {
 protected:
  void train(const std::string& layers, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments{"--quiet", "--overwrite", "--set", "model.layers=" + layers};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = train_films(arguments);
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  }
  Outcome recommend(const std::string& file, std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"recommend", "run", "--history", file, "-k", "20"});
    return run(more);
  }

  Dense embedding(const char* name) const {
    const Tensor table = read_safetensors(path(checkpoint("run", "best-"))).tensors.at(name);
    const auto& values = std::get<std::vector<float>>(table.values);
    Dense rows;
    for (std::int64_t r = 0; r < table.shape[0]; ++r) {
      rows.emplace_back(values.begin() + r * table.shape[1],
                        values.begin() + (r + 1) * table.shape[1]);
    }
    return rows;
  }
  /// The 0/1 matrix of the run's training interactions, users by items.
  Dense interactions(std::size_t users, std::size_t items) const {
    const TensorFile file = read_safetensors(path("run/interactions.safetensors"));
    const auto& offsets =
        std::get<std::vector<std::int64_t>>(file.tensors.at("train.offsets").values);
    const auto& columns =
        std::get<std::vector<std::int32_t>>(file.tensors.at("train.items").values);
    Dense matrix(users, std::vector<double>(items, 0.0));
    for (std::size_t u = 0; u < users; ++u) {
      for (std::int64_t e = offsets[u]; e < offsets[u + 1]; ++e) matrix[u][columns[e]] = 1.0;
    }
    return matrix;
  }
  /// Scores of all items for a new user with these items, by the definition in host/train/fold_in.hpp.
  /// The means begin with layer 0, or 1 with a contrast.
  std::map<std::string, double> expected_scores(const std::set<std::string>& history, int layers,
                                                int first_layer = 0) const {
    Dense x = embedding("user_embedding");
    const std::size_t users = x.size();
    for (const auto& row : embedding("item_embedding")) x.push_back(row);
    const std::size_t nodes = x.size();
    const Dense r = interactions(users, nodes - users);
    std::vector<double> degrees(nodes, 0.0);
    for (std::size_t u = 0; u < users; ++u) {
      for (std::size_t i = users; i < nodes; ++i) {
        degrees[u] += r[u][i - users];
        degrees[i] += r[u][i - users];
      }
    }
    Dense a(nodes, std::vector<double>(nodes, 0.0));
    for (std::size_t u = 0; u < users; ++u) {
      for (std::size_t i = users; i < nodes; ++i) {
        if (r[u][i - users] > 0) a[u][i] = a[i][u] = 1.0 / std::sqrt(degrees[u] * degrees[i]);
      }
    }
    const std::vector<std::string> names = lines(read("run/items.tsv"));
    const std::size_t width = x[0].size();
    std::vector<double> user(width, 0.0);
    Dense final = first_layer == 0 ? x : Dense(nodes, std::vector<double>(width, 0.0));
    for (int layer = 1; layer <= layers; ++layer) {
      for (std::size_t i = users; i < nodes; ++i) {
        if (!history.contains(names[i - users])) continue;
        const double scale =
            1.0 / std::sqrt((degrees[i] + 1.0) * static_cast<double>(history.size()));
        for (std::size_t d = 0; d < width; ++d) user[d] += scale * x[i][d];
      }
      x = product(a, x);
      for (std::size_t n = 0; n < nodes; ++n) {
        for (std::size_t d = 0; d < width; ++d) final[n][d] += x[n][d];
      }
    }
    std::map<std::string, double> scores;
    for (std::size_t i = users; i < nodes; ++i) {
      double& score = scores[names[i - users]];
      for (std::size_t d = 0; d < width; ++d) score += user[d] * final[i][d];
      score /= (layers + 1.0 - first_layer) * (layers + 1.0 - first_layer);
    }
    return scores;
  }
};

TEST_F(History, IsOnePropagationInTheGraphWithTheUserAdded) {
  for (const int layers : {1, 2, 3, -1, -2, -3}) {  // below 0: with a contrast
    SCOPED_TRACE(layers);
    train(std::to_string(std::abs(layers)),
          {"--set", layers < 0 ? "contrast.kind=xsimgcl" : "contrast.kind=none"});
    write("new.csv", "user,item\nalice,drama-0\nbob,horror-1\nalice,drama-6\nalice,drama-4\n");
    const Outcome outcome = recommend("new.csv", {"--include-observed", "--quiet"});
    EXPECT_THAT(outcome.err, IsEmpty());
    const std::map<std::string, std::set<std::string>> histories{
        {"alice", {"drama-0", "drama-4", "drama-6"}}, {"bob", {"horror-1"}}};
    for (const auto& [user, history] : histories) {
      const std::map<std::string, double> expected =
          expected_scores(history, std::abs(layers), layers < 0 ? 1 : 0);
      const Rows rows = rows_of(outcome, user);
      ASSERT_THAT(rows, SizeIs(20));
      for (const auto& row : rows) {
        EXPECT_NEAR(std::stod(row[3]), expected.at(row[2]), 1e-5) << user << " " << row[2];
        EXPECT_EQ(row[4], "history");
      }
    }
  }
}

TEST_F(History, RecommendsWhatTheHistoryIsLike) {
  train("2");
  write("alice.tsv", "alice\tdrama-0\nalice\tdrama-4\nalice\tdrama-4\n");
  const Rows alice = rows_of(recommend("alice.tsv"), "alice");
  ASSERT_THAT(alice, SizeIs(18));
  EXPECT_THAT(column(alice, 2), Not(testing::Contains(testing::AnyOf("drama-0", "drama-4"))));
  for (std::size_t i = 0; i < 8; ++i) EXPECT_THAT(alice[i][2], testing::StartsWith("drama-"));
  // Another user beside her changes nothing, and the lists can be restricted.
  write("both.tsv", "bob\thorror-1\nalice\tdrama-0\nalice\tdrama-4\nbob\tdrama-0\n");
  EXPECT_EQ(rows_of(recommend("both.tsv"), "alice"), alice);
  write("some.txt", "horror-7\ndrama-6\n");
  EXPECT_THAT(rows_of(recommend("both.tsv", {"--candidates", "some.txt"}), "alice"), SizeIs(2));
  // Without the stored embeddings, too, but not without checkpoints.
  std::filesystem::rename(path("run/embeddings.safetensors"), path("embeddings"));
  EXPECT_EQ(rows_of(recommend("alice.tsv"), "alice"), alice);
  std::filesystem::rename(path("embeddings"), path("run/embeddings.safetensors"));
  std::filesystem::remove_all(path("run/checkpoints"));
  EXPECT_EQ(run({"recommend", "run", "--all"}).exit_code, 0);
  EXPECT_THAT(recommend("alice.tsv"),
              FailsWith(65, "run: --history needs a checkpoint of the run"));
}

TEST_F(History, CanBeOfOneUser) {
  train("2");
  write("alice.csv", "user,item\nalice,drama-0\nalice,drama-4\n");
  const Outcome alice = recommend("alice.csv");
  EXPECT_EQ(alice.exit_code, 0);
  EXPECT_THAT(alice.err, Not(HasSubstr("arning")));
  write("empty.csv", "user,item\n");
  EXPECT_THAT(recommend("empty.csv"),
              FailsWith(65, "empty.csv: no interactions, expected at least one"));
}

TEST_F(History, NeedsNoneOfTheRunsRatingsAndTimes) {
  write_films();
  const std::vector<std::string> films = lines(read("films/interactions.tsv"));
  std::string text = "user\titem\tstars\tseen\n";
  for (std::size_t i = 1; i < films.size(); ++i)
    text += films[i] + "\t4\t" + std::to_string(i) + "\n";
  write("rated.tsv", text);
  const Outcome trained =
      run({"train", "rated.tsv", "--out", "run", "--quiet", "--epochs", "2", "--set",
           "model.width=8", "evaluation.ks=[2]", "train.metric=ndcg@2", "data.min_rating=3",
           "data.rating_column=stars", "data.timestamp_column=seen"});
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  write("alice.csv", "user,item\nalice,drama-0\n");
  EXPECT_THAT(rows_of(recommend("alice.csv"), "alice"), SizeIs(19));
  write("pairs.csv", "user,item\ndrama fan 0,drama-0\n");
  const Outcome scores = run({"score", "run", "--pairs", "pairs.csv"});
  EXPECT_EQ(scores.exit_code, 0) << scores.err;
  // A filter that the command names counts.
  EXPECT_THAT(recommend("alice.csv", {"--set", "data.min_rating=3"}),
              FailsWith(2, "data.min_rating is set"));
}

TEST_F(History, CountsWhatItLeavesOut) {
  train("2");
  write("alice.csv", "user,item\nalice,drama-0\n");
  write("odd.csv",
        "user,item\ndrama fan 0,drama-0\nalice,no film\nalice,drama-0\nnobody,no film\n");
  const Outcome odd = recommend("odd.csv");
  EXPECT_EQ(rows_of(odd, "alice"), rows_of(recommend("alice.csv"), "alice"));
  const Rows nobody = rows_of(odd, "nobody");
  ASSERT_FALSE(nobody.empty());
  EXPECT_EQ(nobody[0][4], "popularity");
  EXPECT_THAT(odd.err,
              AllOf(HasSubstr("odd.csv: rows of users that the run knows, left out (--user "
                              "lists for them): 1 of 4, for example \"drama fan 0\"\n"),
                    HasSubstr("odd.csv: rows with items that are unknown to the run, left "
                              "out: 2 of 4, for example \"no film\"\n")));
  write("vain.csv", "user,item\ndrama fan 0,drama-0\nalice,no film\n");
  EXPECT_THAT(recommend("vain.csv"),
              FailsWith(65, "vain.csv: none of its 2 rows has a new user and a known item"));
  EXPECT_THAT(recommend("alice.csv", {"--all"}), FailsAtOnceWith(2, "expected one of"));
  EXPECT_THAT(recommend("alice.csv", {"--mark-held-out"}), FailsAtOnceWith(2, "--history"));
  EXPECT_THAT(run({"recommend", "run", "--all", "--set", "data.header=yes"}),
              FailsAtOnceWith(2, "expected --history FILE with it"));
}

TEST_F(History, IsRefusedByModelsWithoutPropagation) {
  write("alice.csv", "user,item\nalice,drama-0\n");
  train("0");
  EXPECT_THAT(
      recommend("alice.csv"),
      FailsAtOnceWith(2,
                      "--history: the run's model is lightgcn, expected a lightgcn with at least "
                      "one layer"));
  train("2", {"--model", "mf"});
  EXPECT_THAT(recommend("alice.csv"),
              FailsAtOnceWith(2, "--history: the run's model is mf, expected"));
  train("2", {"--model", "gcmc"});
  EXPECT_THAT(recommend("alice.csv"),
              FailsAtOnceWith(2, "by their features: tern recommend --new-users"));
}

TEST_F(History, OfItemsWithoutInteractionsIsNoHistory) {
  write_films();
  write("given/train.tsv", read("films/interactions.tsv"));
  write("given/test.tsv", "user\titem\ndrama fan 0\tnew film\n");
  ASSERT_EQ(
      run({"train", "given", "--out", "run", "--quiet", "--epochs", "2", "--set", "model.width=8",
           "evaluation.ks=[2]", "train.metric=ndcg@2", "train.select_on=test"})
          .exit_code,
      0);
  write("new.csv", "user,item\nalice,new film\nbob,new film\nbob,drama-0\ncarol,drama-0\n");
  const Outcome outcome = recommend("new.csv");
  EXPECT_THAT(outcome.err, HasSubstr("ranked by popularity: 1 of 3\n"));
  EXPECT_THAT(column(rows_of(outcome, "alice"), 4), Each("popularity"));
  Rows bob = rows_of(outcome, "bob");
  for (auto& row : bob) row[0] = "carol";
  EXPECT_EQ(bob, rows_of(outcome, "carol"));
}

}  // namespace
}  // namespace tern::test
