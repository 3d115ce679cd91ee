// tern train --model ease | graph_filter: a run without training, and all that reads it.

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tern/tensor_file.hpp"
#include "tests/cli/workspace.hpp"

namespace tern::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

class FittedModels : public Workspace {
 protected:
  void SetUp() override { write_films(); }

  Outcome fit(const std::string& model, const std::string& name,
              const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments{"train",   "films",
                                       "--model", model,
                                       "--out",   name,
                                       "--set",   "evaluation.ks=[2,5]",
                                       "--set",   "train.metric=ndcg@5"};
    if (model == "graph_filter") {
      arguments.insert(arguments.end(), {"--set", "graph_filter.rank=4"});
    }
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }
  std::string output(const std::vector<std::string>& arguments) const {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.out;
  }
  static constexpr const char* kModels[] = {"ease", "graph_filter"};
};

TEST_F(FittedModels, AreFittedIntoARunWithTheMetricsOfTheValidationSplit) {
  for (const std::string model : kModels) {
    const Outcome outcome = fit(model, model);
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.out, model + "\n");
    EXPECT_THAT(outcome.err,
                AllOf(HasSubstr(model), HasSubstr("fitted in "),
                      HasSubstr("; ndcg@5 on validation: "), Not(HasSubstr("does not read"))));
    const std::vector<std::string> records = lines(read(model + "/metrics.jsonl"));
    ASSERT_THAT(records, SizeIs(1));
    const json record = json::parse(records[0]);
    EXPECT_EQ(record["epoch"], 0);
    EXPECT_FALSE(record.contains("loss"));
    const json valid = json::parse(output({"evaluate", model, "--split", "valid", "--json"}));
    for (const auto& [name, value] : valid["metrics"].items()) EXPECT_EQ(record[name], value);
    EXPECT_THAT(read(model + "/log.txt"), HasSubstr("fitted in "));
  }
}

TEST_F(FittedModels, RankAsTheBaselinesDo) {
  ASSERT_EQ(fit("ease", "ease").exit_code, 0);
  ASSERT_EQ(fit("graph_filter", "filter", {"--set", "graph_filter.rank=256"}).exit_code, 0);
  // Another run, since the baselines of a fitted model take its own metrics.
  ASSERT_EQ(fit("mf", "mf", {"--epochs", "1"}).exit_code, 0);
  for (const char* split : {"valid", "test"}) {
    const auto answer = [&](const char* name) {
      return json::parse(output({"evaluate", name, "--split", split, "--json", "--baselines"}));
    };
    const json baselines = answer("mf")["baselines"];
    EXPECT_EQ(answer("ease")["metrics"], baselines["ease"]);
    EXPECT_EQ(answer("filter")["metrics"], baselines["graph_filter"]);
    EXPECT_EQ(answer("ease")["baselines"], baselines);
    EXPECT_EQ(answer("filter")["baselines"], baselines);
  }
  EXPECT_THAT(output({"evaluate", "filter", "--baselines"}),
              AllOf(HasSubstr("filter: graph_filter, fitted without training"),
                    HasSubstr("run's graph_filter")));
}

TEST_F(FittedModels, ARankBeyondTheDataIsNamedWithTheOneUsed) {
  const Outcome outcome = fit("graph_filter", "run", {"--set", "graph_filter.rank=256"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  ASSERT_EQ(run({"export", "run", "--to", "v", "--format", "npy"}).exit_code, 0);
  const std::string rank = std::to_string(read_npy(path("v/item_vectors.npy")).shape[1]);
  EXPECT_THAT(outcome.err, HasSubstr("The data has only " + rank +
                                     " singular vectors: graph_filter.rank counts as " + rank));
  EXPECT_THAT(fit("graph_filter", "four").err, Not(HasSubstr("counts as")));
}

TEST_F(FittedModels, HaveOneStateWhateverTheCheckpoint) {
  ASSERT_EQ(fit("ease", "run").exit_code, 0);
  for (const char* checkpoint : {"best", "last"}) {
    const Outcome outcome = run({"evaluate", "run", "--checkpoint", checkpoint});
    EXPECT_EQ(outcome.err, "ease is fitted and has one state: --checkpoint has no effect\n");
    EXPECT_EQ(outcome.out, output({"evaluate", "run"}));
  }
  EXPECT_EQ(run({"evaluate", "run"}).err, "");
}

TEST_F(FittedModels, KeysDecideTheResult) {
  ASSERT_EQ(fit("ease", "a").exit_code, 0);
  ASSERT_EQ(fit("ease", "b", {"--set", "ease.l2=0.5"}).exit_code, 0);
  ASSERT_EQ(fit("graph_filter", "c").exit_code, 0);
  ASSERT_EQ(fit("graph_filter", "d", {"--set", "graph_filter.alpha=3"}).exit_code, 0);
  ASSERT_EQ(fit("graph_filter", "e", {"--set", "graph_filter.rank=1"}).exit_code, 0);
  const auto lists = [&](const char* name) { return output({"recommend", name, "--all"}); };
  EXPECT_NE(lists("a"), lists("b"));
  EXPECT_NE(lists("c"), lists("d"));
  EXPECT_NE(lists("c"), lists("e"));
}

TEST_F(FittedModels, HaveTheSameBitsWithAnyNumberOfThreads) {
  for (const std::string model : kModels) {
    ASSERT_EQ(fit(model, model + "1", {"--threads", "1"}).exit_code, 0);
    ASSERT_EQ(fit(model, model + "3", {"--threads", "3"}).exit_code, 0);
    EXPECT_EQ(read(model + "1/fitted.safetensors"), read(model + "3/fitted.safetensors"));
    const Outcome verified = run({"train", "films", "--model", model, "--verify-determinism",
                                  "--set", "evaluation.ks=[2,5]", "--set", "train.metric=ndcg@5"});
    EXPECT_EQ(verified.exit_code, 0) << verified.err;
    EXPECT_THAT(verified.out, AllOf(StartsWith("A fit of " + model + ": 1 tensor of the state"),
                                    HasSubstr("equal"), Not(HasSubstr("DIFFERENT"))));
  }
}

TEST_F(FittedModels, AnswerWithoutTheirDataFromAnotherPlaceAndWriteNothing) {
  write("pairs.tsv", "drama fan 2\tdrama-0\nhorror fan 1\tdrama-2\nnobody\tdrama-2\n");
  write("new.tsv", "alice\tdrama-0\nalice\tdrama-4\nbob\thorror-1\n");
  write("users.txt", "drama fan 4\nhorror fan 3\n");
  const std::vector<std::vector<std::string>> commands{
      {"recommend", "RUN", "--all", "-k", "5", "--mark-held-out"},
      {"recommend", "RUN", "--users", "users.txt", "-k", "3"},
      {"recommend", "RUN", "--user", "drama fan 2", "--include-observed", "--format", "jsonl"},
      {"recommend", "RUN", "--history", "new.tsv"},
      {"similar", "RUN", "--item", "drama-0", "horror-3", "-k", "3"},
      {"score", "RUN", "--pairs", "pairs.tsv"},
      {"evaluate", "RUN"}};
  const auto answers = [&](const std::string& name) {
    std::vector<std::string> all;
    for (std::vector<std::string> command : commands) {
      command[1] = name;
      std::string text = output(command);
      if (command[0] == "evaluate") text = text.substr(text.find('\n'));  // it names the run
      all.push_back(text);
    }
    return all;
  };
  for (const std::string model : kModels) {
    write_films();
    ASSERT_EQ(fit(model, model).exit_code, 0);
    const std::vector<std::string> before = answers(model);
    fs::remove_all(path("films"));
    const std::string moved = "else/" + model;
    fs::create_directories(path("else"));
    fs::rename(path(model), path(moved));
    fs::remove_all(path(moved + "/checkpoints"));
    fs::permissions(path(moved), fs::perms::owner_write, fs::perm_options::remove);
    EXPECT_EQ(answers(moved), before);
    fs::permissions(path(moved), fs::perms::owner_write, fs::perm_options::add);
    EXPECT_FALSE(exists(moved + "/checkpoints"));
  }
}

// Fans of a kind have seen films of this kind alone.
TEST_F(FittedModels, RecommendTheFilmsOfAUsersKind) {
  write("new.tsv", "alice\tdrama-0\nalice\tdrama-4\n");
  for (const std::string model : kModels) {
    ASSERT_EQ(fit(model, model).exit_code, 0);
    const auto known = lines(output({"recommend", model, "--user", "horror fan 1", "-k", "1"}));
    ASSERT_THAT(known, SizeIs(2));
    EXPECT_THAT(cells(known[1])[2], StartsWith("horror-"));
    EXPECT_EQ(cells(known[1])[4], "model");
    const auto found = lines(output({"recommend", model, "--history", "new.tsv", "-k", "3"}));
    ASSERT_THAT(found, SizeIs(4));
    for (std::size_t i = 1; i < found.size(); ++i) {
      EXPECT_THAT(cells(found[i])[2], AllOf(StartsWith("drama-"), Not("drama-0"), Not("drama-4")));
      EXPECT_EQ(cells(found[i])[4], "history");
    }
  }
}

// A new user with the training items of a known one gets the known one's scores, to the digit.
TEST_F(FittedModels, ScoreAHistoryAsTheyScoreAUserWithTheseItems) {
  for (const std::string model : kModels) {
    ASSERT_EQ(fit(model, model, {"--set", "data.valid_fraction=0"}).exit_code, 0);
    // All items, the observed ones too: those that --include-observed adds are the training items.
    const auto all =
        lines(output({"recommend", model, "--user", "drama fan 2", "--include-observed"}));
    const auto others = output({"recommend", model, "--user", "drama fan 2"});
    std::string history;
    for (std::size_t i = 1; i < all.size(); ++i) {
      const std::string item = cells(all[i])[2];
      if (others.find("\t" + item + "\t") == std::string::npos) history += "new\t" + item + "\n";
    }
    ASSERT_FALSE(history.empty());
    write("same.tsv", history);
    const auto again =
        lines(output({"recommend", model, "--history", "same.tsv", "--include-observed"}));
    ASSERT_EQ(again.size(), all.size());
    for (std::size_t i = 1; i < all.size(); ++i) {
      EXPECT_EQ(cells(again[i])[2], cells(all[i])[2]);
      EXPECT_EQ(cells(again[i])[3], cells(all[i])[3]);
    }
  }
}

TEST_F(FittedModels, CandidatesAreRankedAlone) {
  write("some.txt", "drama-0\ndrama-2\nhorror-1\n");
  for (const std::string model : kModels) {
    ASSERT_EQ(fit(model, model).exit_code, 0);
    const auto all = lines(output({"recommend", model, "--all", "--include-observed"}));
    std::string expected;
    for (std::size_t i = 1; i < all.size(); ++i) {
      const auto row = cells(all[i]);
      if (row[2] == "drama-0" || row[2] == "drama-2" || row[2] == "horror-1") {
        expected += row[0] + row[2] + row[3] + "\n";
      }
    }
    std::string found;
    for (const auto& line : lines(output(
             {"recommend", model, "--all", "--include-observed", "--candidates", "some.txt"}))) {
      const auto row = cells(line);
      if (row[1] != "rank") found += row[0] + row[2] + row[3] + "\n";
    }
    EXPECT_EQ(found, expected);
  }
}

TEST_F(FittedModels, ScoresArePrintedAsInTheLists) {
  for (const std::string model : kModels) {
    ASSERT_EQ(fit(model, model).exit_code, 0);
    const auto all = lines(output({"recommend", model, "--all", "--include-observed"}));
    std::string pairs;
    std::vector<std::string> expected;
    for (std::size_t i = all.size() - 1; i >= 1; i -= 7) {  // users in turn, from the last
      const auto row = cells(all[i]);
      pairs += row[0] + "\t" + row[2] + "\n";
      expected.push_back(row[3]);
      if (i < 8) break;
    }
    write("pairs.tsv", pairs);
    const auto scored = lines(output({"score", model, "--pairs", "pairs.tsv"}));
    ASSERT_EQ(scored.size(), expected.size() + 1);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(cells(scored[i + 1])[2], expected[i]) << scored[i + 1];
      EXPECT_EQ(cells(scored[i + 1])[3], "model");
    }
  }
}

TEST_F(FittedModels, SimilarItemsAreThoseOfAHistoryOfTheItemAlone) {
  write("one.tsv", "alice\tdrama-0\n");
  for (const std::string model : kModels) {
    ASSERT_EQ(fit(model, model).exit_code, 0);
    const auto near = lines(output({"similar", model, "--item", "drama-0", "-k", "4"}));
    const auto list = lines(output({"recommend", model, "--history", "one.tsv", "-k", "4"}));
    ASSERT_THAT(near, SizeIs(5));
    EXPECT_EQ(near[0], "item\trank\tneighbour\tscore");
    for (std::size_t i = 1; i < near.size(); ++i) {
      EXPECT_EQ(cells(near[i])[2], cells(list[i])[2]);
      EXPECT_EQ(cells(near[i])[3], cells(list[i])[3]);
    }
    EXPECT_THAT(run({"similar", model, "--user", "drama fan 2"}),
                FailsAtOnceWith(2, model + ", which has no embeddings of users, expected --item"));
  }
}

TEST_F(FittedModels, ExportWhatTheyHave) {
  ASSERT_EQ(fit("ease", "ease").exit_code, 0);
  ASSERT_EQ(fit("graph_filter", "filter").exit_code, 0);
  const std::int64_t items = static_cast<std::int64_t>(lines(read("ease/items.tsv")).size());
  for (const char* format : {"npy", "safetensors"}) {
    EXPECT_THAT(run({"export", "ease", "--to", "b", "--format", format}).err,
                HasSubstr("wrote item_weights, 20 x 20, f32, to b"));
    EXPECT_EQ(run({"export", "filter", "--to", "v", "--format", format}).exit_code, 0);
  }
  const Tensor weights = read_npy(path("b/item_weights.npy"));
  EXPECT_THAT(weights.shape, ElementsAre(items, items));
  EXPECT_EQ(read_safetensors(path("b/model.safetensors")).tensors.at("item_weights").values,
            weights.values);
  EXPECT_THAT(read_npy(path("v/item_vectors.npy")).shape, ElementsAre(items, 4));
  EXPECT_EQ(read("b/items.tsv"), read("ease/items.tsv"));
  // Row i of B is what having item i adds: the list of similar items.
  const auto near = lines(output({"similar", "ease", "--item", "drama-0", "-k", "1"}));
  const auto names = lines(read("b/items.tsv"));
  const auto place = [&](const std::string& name) {
    return std::find(names.begin(), names.end(), name) - names.begin();
  };
  const auto& values = std::get<std::vector<float>>(weights.values);
  EXPECT_EQ(std::stof(cells(near[1])[3]),
            values[static_cast<std::size_t>(place("drama-0") * items + place(cells(near[1])[2]))]);
  for (const char* format : {"word2vec", "faiss"}) {
    EXPECT_THAT(run({"export", "ease", "--to", "t", "--format", format}),
                FailsAtOnceWith(2, "expected npy or safetensors"));
  }
  EXPECT_FALSE(exists("t"));
}

TEST_F(FittedModels, OptionsOfTrainingAreNamedOrRefused) {
  const Outcome outcome = fit("ease", "run",
                              {"--epochs", "5", "--set", "loss.l2=0.5", "--device", "cuda", "--set",
                               "graph_filter.alpha=2", "--nondeterministic"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(
      outcome.err,
      AllOf(HasSubstr("ease is fitted without training and does not read: "),
            HasSubstr("graph_filter.alpha"), HasSubstr("loss.l2"), HasSubstr("train.epochs"),
            HasSubstr("train.reproducibility"), Not(HasSubstr("evaluation.ks,")),
            HasSubstr("ease is computed on the CPU, whatever train.device is")));
  EXPECT_THAT(fit("ease", "no", {"--recipe", "auto"}),
              FailsAtOnceWith(2, "--recipe auto searches settings of training"));
  EXPECT_THAT(fit("ease", "no", {"--set", "evaluation.score=cosine"}),
              FailsAtOnceWith(2, "model.kind = ease has no embeddings"));
  EXPECT_THAT(fit("graph_filter", "no", {"--set", "contrast.kind=xsimgcl"}),
              FailsAtOnceWith(2, "contrast.kind = xsimgcl needs model.kind = lightgcn"));
  EXPECT_THAT(run({"recommend", "run", "--new-users", "films/interactions.tsv"}),
              FailsWith(2, "--history ranks items for new users by theirs"));
  EXPECT_THAT(run({"evaluate", "run", "--cold"}), FailsWith(2, "have no scores"));
  EXPECT_FALSE(exists("no"));
  EXPECT_THAT(output({"inspect", "films", "--model", "ease"}), HasSubstr("fitting ease needs"));
}

TEST_F(FittedModels, AFinishedRunHasNothingToResume) {
  ASSERT_EQ(fit("ease", "run").exit_code, 0);
  const std::string arrays = read("run/fitted.safetensors");
  for (const auto& command :
       {std::vector<std::string>{"train", "--resume", "run"},
        std::vector<std::string>{"train", "films", "--out", "run", "--resume", "--epochs", "9"}}) {
    const Outcome outcome = run(command);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.out, "run\n");
    EXPECT_THAT(outcome.err, HasSubstr("nothing to do: ease is fitted"));
  }
  EXPECT_THAT(run({"train", "--resume", "run", "--set", "ease.l2=7"}),
              FailsWith(2, "the run was trained with ease.l2 = 200.0, found 7.0"));
  EXPECT_THAT(run({"train", "films", "--model", "ease", "--out", "run"}),
              FailsWith(1, "holds a run already"));
  EXPECT_EQ(read("run/fitted.safetensors"), arrays);
  EXPECT_THAT(lines(read("run/metrics.jsonl")), SizeIs(1));
  EXPECT_EQ(fit("ease", "run", {"--overwrite", "--set", "ease.l2=7"}).exit_code, 0);
  EXPECT_NE(read("run/fitted.safetensors"), arrays);
}

TEST_F(FittedModels, AFinishedRunRefusesAnotherSeedAndNamesKeysWithoutEffect) {
  ASSERT_EQ(fit("graph_filter", "run").exit_code, 0);
  const std::string arrays = read("run/fitted.safetensors");
  EXPECT_THAT(run({"train", "--resume", "run", "--set", "train.seed=5"}),
              FailsWith(2, "the run was fitted with train.seed = 0, found 5"));
  const Outcome outcome = run({"train", "--resume", "run", "--set", "train.metric=recall@5"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("graph_filter is fitted"),
                                 HasSubstr("no effect any more: train.metric")));
  EXPECT_EQ(read("run/fitted.safetensors"), arrays);
}

// As after a kill between the first file of a run and its last.
TEST_F(FittedModels, AnIncompleteRunIsNotReadAndIsFittedAgain) {
  ASSERT_EQ(fit("ease", "run").exit_code, 0);
  const std::string arrays = read("run/fitted.safetensors");
  const std::string lists = output({"recommend", "run", "--all"});
  fs::remove(path("run/fitted.safetensors"));
  EXPECT_THAT(run({"recommend", "run", "--all"}), FailsWith(65, "the run is not complete"));
  fs::remove_all(path("films"));
  ASSERT_EQ(run({"train", "--resume", "run"}).exit_code, 0);
  EXPECT_EQ(read("run/fitted.safetensors"), arrays);
  EXPECT_THAT(lines(read("run/metrics.jsonl")), SizeIs(1));
  EXPECT_EQ(output({"recommend", "run", "--all"}), lists);
  // A damaged file is refused, and computed anew.
  std::string damaged = arrays;
  damaged[damaged.size() - 2] ^= 1;
  write("run/fitted.safetensors", damaged);
  const std::vector<std::vector<std::string>> readers{
      {"recommend", "run", "--all"}, {"evaluate", "run"}, {"export", "run", "--to", "v"}};
  for (const std::string& text : {damaged, arrays.substr(0, 100), std::string()}) {
    write("run/fitted.safetensors", text);
    for (const std::vector<std::string>& command : readers) {
      const Outcome outcome = run(command);
      EXPECT_THAT(outcome,
                  FailsAtOnceWith(65, "run/fitted.safetensors: the checkpoint is damaged: "));
      EXPECT_THAT(outcome.err, EndsWith("; to fit the model again: tern train --resume run\n"));
      EXPECT_EQ(outcome.err.find("fitted.safetensors"), outcome.err.rfind("fitted.safetensors"));
    }
  }
  write("run/fitted.safetensors", damaged);
  EXPECT_THAT(run({"evaluate", "run"}), FailsWith(65, ", expected "));
  const Outcome again = run({"train", "--resume", "run"});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.err, AllOf(HasSubstr("damaged"), HasSubstr("fitted again")));
  EXPECT_EQ(read("run/fitted.safetensors"), arrays);
}

}  // namespace
}  // namespace tern::test
