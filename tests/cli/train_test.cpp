// tern train: the run directory, precedence, messages, signals.

#include <array>
#include <nlohmann/json.hpp>

#include "host/cli/columns.hpp"
#include "tern/config.hpp"
#include "tern/tensor_file.hpp"
#include "tests/cli/workspace.hpp"

namespace tern::test {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class Train : public Workspace {
 protected:
  Config resolved(const std::string& run) const {
    Config config;
    read_config(config, path(run + "/config.toml"));
    return config;
  }
};

TEST_F(Train, CountsPairsIfTheLossDrawsNoNegatives) {
  const auto output_with = [&](const char* loss) {
    return train_films({"--overwrite", "--set", std::string("loss.kind=") + loss}).err;
  };
  for (const char* loss : {"softmax", "directau", "sl@k"}) {
    EXPECT_THAT(output_with(loss), AllOf(HasSubstr(" pairs/s"), Not(HasSubstr("triplets/s"))));
  }
  EXPECT_THAT(output_with("ccl"), AllOf(HasSubstr(" triplets/s"), Not(HasSubstr("pairs/s"))));
  EXPECT_THAT(read("run/metrics.jsonl"), HasSubstr("\"triplets_per_second\":"));
}

TEST_F(Train, BeginsWithModelAndLoss) {
  const auto begins = [&](const std::vector<std::string>& settings, const std::string& line) {
    std::vector<std::string> more{"--overwrite", "--set"};
    more.insert(more.end(), settings.begin(), settings.end());
    EXPECT_THAT(train_films(more).err, HasSubstr("\n" + line + " on cpu: "));
  };
  begins({"model.layers=1"}, "lightgcn, L 1, D 8, bpr");
  begins({"model.kind=mf", "loss.kind=softmax"}, "mf, D 8, softmax");
  begins({"model.layers=2", "loss.kind=ccl", "sampling.negatives_per_positive=3"},
         "lightgcn, L 2, D 8, ccl over 3 sampled items");
  begins({"model.layers=2", "loss.kind=sl@k", "loss.negatives=sampled", "loss.k=5"},
         "lightgcn, L 2, D 8, sl@k over 1 sampled item");
  begins({"model.kind=mf", "loss.kind=softmax", "loss.negatives=mixed"},
         "mf, D 8, softmax over the batch and 1 sampled item a pair");
  begins({"model.kind=mf", "loss.kind=softmax", "loss.negatives=mixed",
          "sampling.negatives_per_positive=3"},
         "mf, D 8, softmax over the batch and 3 sampled items a pair");
  begins({"model.layers=2", "loss.kind=directau", "contrast.kind=xsimgcl"},
         "lightgcn, L 2 with xsimgcl (layer 1), D 8, directau");
  begins({"model.layers=2", "propagation.kind=lightgcn++"},
         "lightgcn++, L 2, alpha 0.6, beta -0.1, gamma 0.2, D 8, bpr");
}

TEST_F(Train, AKBeyondTheCatalogueIsNamedWithTheOneUsed) {
  const auto output_of = [&](const char* k) {
    return train_films({"--overwrite", "--set", "loss.kind=sl@k", k}).err;
  };
  EXPECT_THAT(output_of("loss.k=21"),
              HasSubstr("The data has only 20 items: loss.k counts as 20."));
  EXPECT_THAT(output_of("loss.k=20"), Not(HasSubstr("counts as")));
}

TEST_F(Train, LeavesARunDirectory) {
  const Outcome outcome = train_films();
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "run\n");
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("Users: 24"), HasSubstr("epoch 20/20"),
                                 HasSubstr("ndcg@5"), HasSubstr("triplets/s")));
  EXPECT_THAT(outcome.err, Not(HasSubstr("\x1b")));  // no terminal, no control sequences

  const std::vector<std::string> epochs = lines(read("run/metrics.jsonl"));
  ASSERT_THAT(epochs, SizeIs(20));
  EXPECT_EQ(json::parse(epochs[0])["epoch"], 1);
  const json last = json::parse(epochs[19]);
  EXPECT_EQ(last["epoch"], 20);
  EXPECT_TRUE(last.contains("ndcg@5"));
  EXPECT_GT(last["triplets_per_second"], 0.0);
  EXPECT_LT(last["loss"], json::parse(epochs[0])["loss"]);

  EXPECT_THAT(lines(read("run/users.tsv")), SizeIs(24));
  EXPECT_THAT(lines(read("run/items.tsv")), SizeIs(20));
  for (const char* name : {"best-", "epoch-"}) {
    const TensorFile file = read_safetensors(path(checkpoint("run", name)));
    EXPECT_EQ(file.tensors.at("user_embedding").shape, (std::vector<std::int64_t>{24, 8}));
  }
  EXPECT_EQ(resolved("run").data_path, path("films").string());
}

TEST_F(Train, TakesDefaultsThenTheFileThenTheCommandLine) {
  write_films();
  write("c.toml",
        "[model]\nwidth = 4\nlayers = 1\n[train]\nepochs = 2\nbatch_size = 32\nseed = 5\n"
        "[data]\npath = \"films\"\n");
  const Outcome outcome =
      run({"train", "--config", "c.toml", "--set", "model.layers=2", "train.epochs=7", "--set",
           "train.seed=6", "--epochs", "1", "--model", "mf", "--out", "run"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const Config config = resolved("run");
  EXPECT_EQ(config.model.width, 4);   // the file
  EXPECT_EQ(config.model.layers, 2);  // --set over the file
  EXPECT_EQ(config.epochs, 1);        // an option over --set
  EXPECT_EQ(config.seed, Seed{6});
  EXPECT_EQ(config.model.kind, ModelKind::kMatrixFactorization);
  EXPECT_EQ(config.l2, Config{}.l2);  // the default
  EXPECT_EQ(config.batch_size, 32);

  // The run's config.toml repeats the same training; DATA may follow --set.
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"train", "--config", "run/config.toml", "--out", "again"},
        {"train", "--config", "run/config.toml", "--out", "moved", "--set", "train.seed=6",
         "films"}}) {
    const Outcome again = run(arguments);
    ASSERT_EQ(again.exit_code, 0) << again.err;
  }
  EXPECT_EQ(read("again/config.toml"), read("run/config.toml"));
  EXPECT_EQ(read(checkpoint("again", "epoch-")), read(checkpoint("run", "epoch-")));
  EXPECT_EQ(read(checkpoint("moved", "epoch-")), read(checkpoint("run", "epoch-")));
}

TEST_F(Train, SeedAndThreadsDoWhatTheySay) {
  ASSERT_EQ(train_films({"--out", "one", "--threads", "1", "--epochs", "2"}).exit_code, 2)
      << "--out was given twice";
  write_films();
  const auto train = [&](const std::string& out, const std::string& threads,
                         const std::string& seed) {
    const Outcome outcome = run({"train", "films", "--out", out, "--threads", threads, "--seed",
                                 seed, "--epochs", "2", "--quiet"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return read_safetensors(path(checkpoint(out, "epoch-"))).tensors;
  };
  const auto values = [](const auto& tensors) {
    return std::get<std::vector<float>>(tensors.at("user_embedding").values);
  };
  const auto one = train("one", "1", "3");
  EXPECT_EQ(values(one), values(train("two", "2", "3")));
  EXPECT_NE(values(one), values(train("other", "1", "4")));
}

TEST_F(Train, NamesRunsByItselfAndKeepsThem) {
  write_films();
  for (const char* expected : {"runs/films-mf-1\n", "runs/films-mf-2\n"}) {
    const Outcome outcome = run({"train", "films/", "--model", "mf", "--epochs", "1", "--quiet"});
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_EQ(outcome.out, expected);
    EXPECT_THAT(outcome.err, IsEmpty());
  }
  const std::vector<std::string> into_first{"train",    "films", "--out",  "runs/films-mf-1",
                                            "--epochs", "1",     "--quiet"};
  EXPECT_THAT(run(into_first), FailsAtOnceWith(1, "runs/films-mf-1 holds a run already"));
  EXPECT_EQ(resolved("runs/films-mf-1").model.kind, ModelKind::kMatrixFactorization);
  std::vector<std::string> overwrite = into_first;
  overwrite.push_back("--overwrite");
  EXPECT_EQ(run(overwrite).exit_code, 0);
  EXPECT_EQ(resolved("runs/films-mf-1").model.kind, ModelKind::kLightGcn);
}

TEST_F(Train, RefusesBadConfigurationsBeforeAnythingIsWritten) {
  write_films();
  write("bad.toml", "[model]\nwidth = 8\nlayer = 2\n");
  const auto with = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments{"train", "films", "--out", "run", "--quiet"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  };
  EXPECT_THAT(with({"--config", "bad.toml"}),
              FailsAtOnceWith(2,
                              "bad.toml:3: unknown key \"model.layer\": did you mean "
                              "model.layers?"));
  EXPECT_THAT(with({"--config", "none.toml"}), FailsAtOnceWith(2, "none.toml"));
  EXPECT_THAT(with({"--set", "model.width=0"}),
              FailsAtOnceWith(2, "model.width: found the integer 0, expected an integer from 1"));
  EXPECT_THAT(with({"--set", "model.widht=8"}), FailsAtOnceWith(2, "did you mean model.width?"));
  EXPECT_THAT(with({"--set", "model.width=wide"}), FailsAtOnceWith(2, "found the string"));
  EXPECT_THAT(with({"--set", "model.width"}), FailsAtOnceWith(2, "expected KEY=VALUE"));
  EXPECT_THAT(with({"--epochs", "-1"}), FailsAtOnceWith(2, "--epochs: train.epochs: found"));
  EXPECT_THAT(with({"--seed", "1.5"}), FailsAtOnceWith(2, "--seed"));
  EXPECT_THAT(with({"--model", "ngcf"}), FailsAtOnceWith(2, "lightgcn|mf"));
  EXPECT_THAT(with({"--device", "tpu"}), FailsAtOnceWith(2, "auto|cpu|cuda|cuda:N|reference"));
  EXPECT_THAT(with({"--set", "evaluation.ks=[20, 21]"}),
              FailsAtOnceWith(2, "found 21, but the data has only 20 items"));
  EXPECT_THAT(with({"--set", "train.metric=ndcg@7"}), FailsAtOnceWith(2, "ndcg@7"));
  EXPECT_FALSE(exists("run"));
}

TEST_F(Train, ListsFollowASmallCatalogueUnlessAskedFor) {
  write("small/train.txt", "0 0 1\n1 1 2\n2 3\n");
  write("small/test.txt", "0 2\n1 3\n");
  const Outcome outcome = run({"train", "small", "--epochs", "1", "--out", "run", "--set",
                               "train.select_on=test", "--device", "cpu"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("The data has only 4 items: evaluation.ks becomes 4."));
  EXPECT_THAT(read("run/config.toml"), HasSubstr("metric = \"ndcg@4\""));
}

TEST_F(Train, AnAbsentGpuIsOneClearLine) {
  write_films();
  const Outcome outcome = run({"train", "films", "--device", "cuda:99", "--out", "run"});
  EXPECT_THAT(outcome, FailsAtOnceWith(1, "cuda:99"));
  EXPECT_FALSE(exists("run"));
}

TEST_F(Train, TheReferenceBackendTrainsToo) {
  const Outcome outcome = train_films({"--device", "reference", "--seed", "1"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("reference"));
}

TEST_F(Train, ShowsOneLiveLineOnATerminal) {
  write_films();
  Streams terminal;
  terminal.err_terminal = true;
  const Outcome outcome =
      run({"train", "films", "--out", "run", "--epochs", "6", "--set", "train.evaluate_every=3"},
          terminal);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "run\n");
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("\r\x1b[K"), HasSubstr(" left"), HasSubstr("epoch 6/6"),
                                 HasSubstr("best ndcg@20")));
  EXPECT_TRUE(outcome.err.ends_with("\n"));
  // Only the text after the last erasure of a line stays on the screen.
  std::vector<std::string> kept;
  for (const std::string& line : lines(outcome.err)) {
    const std::size_t erased = line.rfind("\x1b[K");
    kept.push_back(erased == std::string::npos ? line : line.substr(erased + 3));
  }
  EXPECT_THAT(kept, testing::Contains(testing::StartsWith("epoch 3/6")));
  EXPECT_THAT(kept, Not(testing::Contains(testing::StartsWith("epoch 2/6"))));
}

/// The texts of a terminal between line feeds and erasures: what stands on one line at a time.
std::vector<std::string> shown_lines(std::string text) {
  const std::string erase = "\r\x1b[K";
  for (std::size_t at = 0; (at = text.find(erase, at)) != std::string::npos;) {
    text.replace(at, erase.size(), "\n");
  }
  std::vector<std::string> all;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    if (line.ends_with('\r')) line.pop_back();  // a terminal turns \n into \r\n
    all.push_back(line);
  }
  return all;
}

TEST_F(Train, ItsProgressFitsTheTerminal) {
  write_films();
  constexpr std::array<std::uint16_t, 5> kWidths{20, 40, 80, 140, 300};
  for (const std::uint16_t columns : kWidths) {
    SCOPED_TRACE(columns);
    Streams terminal;
    terminal.err_terminal = true;
    terminal.columns = columns;
    const Outcome outcome = run({"train", "films", "--out", "run", "--overwrite", "--epochs", "6",
                                 "--verbose", "--set", "train.batch_size=10"},
                                terminal);
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    std::size_t widest = 0;
    for (const std::string& line : shown_lines(outcome.err)) {
      if (line.starts_with("epoch ")) widest = std::max(widest, cli::columns_of(line));
    }
    EXPECT_LT(widest, columns);
    // The live line moves within an epoch: its first step is always shown.
    EXPECT_THAT(shown_lines(outcome.err),
                testing::Contains(testing::ContainsRegex("^epoch 1/6 +[1-9][0-9]?%")));
  }
}

TEST_F(Train, TheHealthOfTheEmbeddingsIsShownOnRequest) {
  const std::string health = "  norm ";
  write_films();
  const auto train = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments{"train",    "films", "--out",      "run",
                                       "--epochs", "2",     "--overwrite"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  };
  const Outcome plain = train({});
  ASSERT_EQ(plain.exit_code, 0) << plain.err;
  EXPECT_THAT(plain.err, AllOf(HasSubstr("epoch 2/2  loss"), Not(HasSubstr(health))));
  EXPECT_THAT(read("run/log.txt"), AllOf(HasSubstr("epoch 2/2  loss"), HasSubstr(health)));
  EXPECT_THAT(train({"--verbose"}).err, HasSubstr(health));
  // A collapse is shown with the figures.
  EXPECT_THAT(train({"--set", "monitor.max_norm=1e-6"}).err,
              AllOf(HasSubstr(health), HasSubstr("warning: the mean norm of users")));
  EXPECT_THAT(train({"--verbose", "--quiet"}), FailsAtOnceWith(2, "--quiet"));
}

TEST_F(Train, ASignalLeavesACheckpointAndExits75) {
  write_films();
  for (const int signal : {SIGTERM, SIGINT}) {
    Child child(directory_, {"train", "films", "--out", "run", "--epochs", "100000000", "--set",
                             "train.patience=0", "--overwrite"});
    ASSERT_TRUE(child.wait_for_error_text("epoch         3/100000000"));
    child.kill(signal);
    const Outcome outcome = child.finish();
    EXPECT_EQ(outcome.exit_code, 75) << outcome.err;
    EXPECT_EQ(outcome.out, "run\n");
    EXPECT_THAT(outcome.err, HasSubstr("stopped by a signal"));
    const TensorFile last = read_safetensors(path(checkpoint("run", "epoch-")));
    EXPECT_GE(std::stoi(last.metadata.at("epoch")), 3);
    EXPECT_EQ(run({"evaluate", "run", "--checkpoint", "last", "--quiet"}).exit_code, 0);
    EXPECT_EQ(run({"evaluate", "run", "--quiet"}).exit_code, 0);
  }
}

TEST_F(Train, ASecondSignalKillsAtOnce) {
  // One step takes long enough that the first signal arrives within it.
  ASSERT_EQ(run({"generate", "--to", "data", "--users", "500", "--items", "300", "--interactions",
                 "10000", "--quiet"})
                .exit_code,
            0);
  Child child(directory_,
              {"train", "data", "--out", "run", "--device", "reference", "--model", "mf", "--set",
               "train.batch_size=100000000", "sampling.negatives_per_positive=300"});
  ASSERT_TRUE(child.wait_until([&] { return exists("run/run.json"); }));
  child.kill(SIGTERM);
  ASSERT_TRUE(child.wait_for_handler(SIGTERM, false));
  child.kill(SIGTERM);
  const Outcome outcome = child.finish();
  EXPECT_EQ(outcome.signal, SIGTERM) << "exit code " << outcome.exit_code;
}

TEST_F(Train, StopsWhereNumbersBlowUp) {
  EXPECT_THAT(train_films({"--set", "optimizer.learning_rate=1e38"}), FailsWith(1, "epoch 1"));
  EXPECT_EQ(checkpoint("run", "best-"), "");
}

TEST_F(Train, GoesOnWhenNobodyReadsItsOutput) {
  write_films();
  Streams gone;
  gone.close_out = true;
  gone.close_err = true;
  const Outcome outcome = run({"train", "films", "--out", "run", "--epochs", "2"}, gone);
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_NE(checkpoint("run", "epoch-"), "");
}

}  // namespace
}  // namespace tern::test
