// Help, version, and wrong command lines.

#include <array>

#include "tern/config.hpp"
#include "tests/cli/workspace.hpp"

namespace tern::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

class Usage : public Workspace {};

std::string without_blanks(std::string text) {
  std::erase_if(text, [](char c) { return c == ' ' || c == '\n'; });
  return text;
}

constexpr std::array<const char*, 14> kCommands{
    "train",   "evaluate", "recommend", "score",     "similar",    "report", "export",
    "inspect", "split",    "generate",  "gradcheck", "completion", "info",   "man"};

TEST_F(Usage, HelpGoesToStandardOutput) {
  const Outcome help = run({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.err, IsEmpty());
  for (const char* name : kCommands) {
    EXPECT_THAT(help.out, HasSubstr(std::string("\n  ") + name)) << name;
    const Outcome sub = run({name, "--help"});
    EXPECT_EQ(sub.exit_code, 0) << name;
    EXPECT_THAT(sub.err, IsEmpty()) << name;
    EXPECT_THAT(sub.out, HasSubstr(std::string("tern ") + name)) << name;
    EXPECT_THAT(sub.out, HasSubstr("--help")) << name;
  }
}

TEST_F(Usage, HelpFitsAHundredColumns) {
  std::vector<std::vector<std::string>> commands{{"--help"}};
  for (const char* name : kCommands) commands.push_back({name, "--help"});
  for (const std::vector<std::string>& arguments : commands) {
    for (const std::string& line : lines(run(arguments).out)) {
      EXPECT_THAT(line, SizeIs(testing::Le(100u))) << arguments[0];
    }
  }
}

TEST_F(Usage, HelpShowsDefaults) {
  const std::string train = run({"train", "--help"}).out;
  for (const ConfigKey& key : config_keys()) {
    EXPECT_THAT(train, HasSubstr("  " + key.key + " = " + key.default_value + "\n"));
    // Compared without blanks, as lines are broken between words.
    EXPECT_THAT(without_blanks(train), HasSubstr(without_blanks(key.help + "(" + key.type)));
  }
  EXPECT_THAT(train, HasSubstr("(integer from 1 to 65536; fixed in a resumed run)"));
  EXPECT_THAT(train, HasSubstr("[runs/<data>-<model>-<n>"));
  EXPECT_THAT(run({"recommend", "--help"}).out,
              AllOf(HasSubstr("-k"), HasSubstr("20"), HasSubstr("tsv")));
  EXPECT_THAT(run({"evaluate", "--help"}).out, AllOf(HasSubstr("test"), HasSubstr("best")));
  EXPECT_THAT(run({"generate", "--help"}).out, AllOf(HasSubstr("10000"), HasSubstr("200000")));
}

TEST_F(Usage, VersionIsOneLine) {
  const Outcome version = run({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_THAT(version.out, StartsWith("tern "));
  EXPECT_THAT(lines(version.out), SizeIs(1));
}

TEST_F(Usage, WhatCannotBeUnderstoodIsExplained) {
  EXPECT_THAT(run({}), FailsAtOnceWith(2, "subcommand is missing"));
  EXPECT_THAT(run({"trian"}), FailsAtOnceWith(2, "did you mean train?"));
  EXPECT_THAT(run({"xyzzy"}), FailsAtOnceWith(2, "there is no subcommand \"xyzzy\""));
  EXPECT_THAT(run({"train", "d", "--epoch", "3"}), FailsAtOnceWith(2, "did you mean --epochs?"));
  EXPECT_THAT(run({"train", "d", "--lerning-rate=3"}),
              FailsAtOnceWith(2, "tern train has no option --lerning-rate"));
  EXPECT_THAT(run({"train", "a", "b"}), FailsAtOnceWith(2, "does not expect \"b\""));
  EXPECT_THAT(run({"train", "d", "--epochs"}), FailsAtOnceWith(2, "--epochs"));
  EXPECT_THAT(run({"evaluate"}), FailsAtOnceWith(2, "RUN"));
  EXPECT_THAT(run({"evaluate", "r", "--split", "both"}), FailsAtOnceWith(2, "both"));
  EXPECT_THAT(run({"evaluate", "r", "--threads", "-1"}),
              FailsAtOnceWith(2, "--threads: train.threads: found the integer -1, expected"));
  EXPECT_THAT(run({"evaluate", "r", "--device", "gpu"}),
              FailsAtOnceWith(2, "--device: train.device: found the string \"gpu\", expected"));
  EXPECT_THAT(run({"recommend", "r"}), FailsAtOnceWith(2, "--user ID"));
  EXPECT_THAT(run({"recommend", "r", "--all", "--user", "x"}), FailsAtOnceWith(2, "one of"));
  EXPECT_THAT(run({"recommend", "r", "--all", "-k", "many"}), FailsAtOnceWith(2, "-k"));
  EXPECT_THAT(run({"recommend", "r", "--all", "--format", "xml"}), FailsAtOnceWith(2, "xml"));
  EXPECT_THAT(run({"score", "r"}), FailsAtOnceWith(2, "--pairs"));
  EXPECT_THAT(run({"split", "d"}), FailsAtOnceWith(2, "--to"));
  EXPECT_THAT(run({"similar", "r"}), FailsAtOnceWith(2, "--item ID"));
  EXPECT_THAT(run({"export", "r"}), FailsAtOnceWith(2, "--to"));
  EXPECT_THAT(run({"generate"}), FailsAtOnceWith(2, "--to"));
  EXPECT_THAT(run({"info", "more"}), FailsAtOnceWith(2, "does not expect \"more\""));
  EXPECT_THAT(run({"train"}), FailsAtOnceWith(2, "DATA is missing"));
}

TEST_F(Usage, NumbersThatAreNoneAreShown) {
  for (const char* text : {"five", "2.5", ""}) {
    EXPECT_THAT(
        run({"recommend", "r", "--all", "-k", text}),
        FailsAtOnceWith(2, "-k: found \"" + std::string(text) + "\", expected a whole number"))
        << text;
  }
  EXPECT_THAT(run({"generate", "--to", "g", "--users", "3000000000"}),
              FailsAtOnceWith(
                  2, "--users: found \"3000000000\", expected a whole number up to 2147483647"));
  EXPECT_THAT(run({"generate", "--to", "g", "--seed", "-1"}),
              FailsAtOnceWith(2, "--seed: train.seed: found the integer -1, expected"));
  EXPECT_THAT(run({"generate", "--to", "g", "--noise", "much"}),
              FailsAtOnceWith(2, "--noise: found \"much\", expected a number"));
  EXPECT_THAT(run({"gradcheck", "--seed", "x"}),
              FailsAtOnceWith(2, "--seed: found \"x\", expected"));
}

TEST_F(Usage, TheRunMayStandBehindAListOfIds) {
  ASSERT_EQ(train_films({"--quiet"}).exit_code, 0);
  const Outcome first =
      run({"recommend", "run", "--user", "drama fan 0", "drama fan 2", "-k", "2", "--quiet"});
  EXPECT_THAT(lines(first.out), SizeIs(5));
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--user", "drama fan 0", "drama fan 2", "run", "-k", "2",
                                 "--quiet"},
        {"--user", "drama fan 0", "drama fan 2", "-k", "2", "--quiet", "run"},
        {"-k", "2", "--quiet", "--user", "drama fan 0", "drama fan 2", "run"},
        {"-k", "2", "--user=drama fan 0", "drama fan 2", "run", "--quiet"}}) {
    std::vector<std::string> command{"recommend"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    const Outcome outcome = run(command);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.out, first.out) << testing::PrintToString(arguments);
  }
  write("pairs.csv", "who,film\ndrama fan 0,drama-0\n");
  EXPECT_EQ(run({"score", "--pairs", "pairs.csv", "--set", "data.header=yes",
                 "data.user_column=who", "run", "--quiet"})
                .exit_code,
            0);
}

TEST_F(Usage, AListThatTookTheRunIsNamed) {
  EXPECT_THAT(run({"recommend", "--user", "alice", "bob", "-k", "2"}),
              FailsAtOnceWith(2,
                              "RUN is missing: name the run directory right after recommend; "
                              "--user takes every word up to the next option: \"alice\", "
                              "\"bob\""));
  EXPECT_THAT(run({"recommend", "--user", "nowhere", "-k", "2"}),
              FailsAtOnceWith(2, "--user takes every word up to the next option: \"nowhere\""));
  const Outcome outcome = run({"recommend", "--all"});
  EXPECT_THAT(outcome, FailsAtOnceWith(2,
                                       "RUN is missing: name the run directory right after "
                                       "recommend\n"));
}

TEST_F(Usage, OptionsOfOtherProgramsLeadToTheirKeys) {
  const auto train = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"train", "d"});
    return run(more);
  };
  const auto means = [](const std::string& what) {
    return FailsAtOnceWith(2, ": did you mean " + what + "?");
  };
  // LightGCN-PyTorch
  EXPECT_THAT(train({"--lr", "0.1"}), means("--set optimizer.learning_rate=0.1"));
  EXPECT_THAT(train({"--recdim=64"}), means("--set model.width=64"));
  EXPECT_THAT(train({"--layer", "3"}), means("--set model.layers=3"));
  EXPECT_THAT(train({"--decay", "1e-4"}),
              means("--set loss.l2=1e-4 or --set optimizer.weight_decay=1e-4"));
  EXPECT_THAT(train({"--bpr_batch", "2048"}), means("--set train.batch_size=2048"));
  EXPECT_THAT(train({"--dropout", "0.1"}), means("--set model.dropout=0.1"));
  EXPECT_THAT(train({"--topks", "[20]"}), means("--set evaluation.ks=[20]"));
  EXPECT_THAT(train({"--comment", "lgn"}), means("--out"));
  // RecBole, implicit, PyTorch
  EXPECT_THAT(train({"--embedding-size", "64"}), means("--set model.width=64"));
  EXPECT_THAT(train({"--train_batch_size", "9"}), means("--set train.batch_size=9"));
  EXPECT_THAT(train({"--stopping_step", "5"}), means("--set train.patience=5"));
  EXPECT_THAT(train({"--iterations", "15"}), means("--epochs"));
  EXPECT_THAT(train({"--use-gpu"}), means("--device"));
  EXPECT_THAT(train({"--num-layers", "2"}), means("--set model.layers=2"));
  EXPECT_THAT(train({"--hidden-dim", "8"}), means("--set model.width=8 or --set model.hidden=8"));
  // Tern's own names as options. A value that a shell would change is not repeated.
  EXPECT_THAT(train({"--layers", "2"}), means("--set model.layers=2"));
  EXPECT_THAT(train({"--batch-size"}), means("--set train.batch_size=VALUE"));
  EXPECT_THAT(train({"--batch-size", "$(2)"}), means("--set train.batch_size=VALUE"));
  EXPECT_THAT(train({"--learning-rte", "1"}), means("--set optimizer.learning_rate=1"));
  EXPECT_THAT(run({"train", "--lr", "0.1", "d"}), means("--set optimizer.learning_rate=0.1"));
  // A subcommand suggests only what it has.
  EXPECT_THAT(run({"recommend", "r", "--topk", "5"}), means("-k"));
  EXPECT_THAT(run({"evaluate", "r", "--gpu", "0"}), means("--device"));
  EXPECT_THAT(run({"export", "r", "--output-dir", "x"}), means("--to"));
  EXPECT_THAT(run({"evaluate", "r", "--lr", "1"}),
              FailsAtOnceWith(2, "tern evaluate has no option --lr\n"));
}

TEST_F(Usage, AnErrorCannotWriteToTheTerminal) {
  const Outcome outcome = run({"train", "\x1b[31mred\nline"});
  EXPECT_THAT(outcome, FailsAtOnceWith(65, "red"));
  EXPECT_THAT(outcome.err, Not(HasSubstr("\x1b")));
}

TEST_F(Usage, StandardOutputThatIsFullIsAnError) {
  ASSERT_EQ(train_films({"--quiet"}).exit_code, 0);
  write("pairs.tsv", "drama fan 0\tdrama-0\n");
  write("new.tsv", "alice\tdrama-0\n");
  Streams full;
  full.out_to = "/dev/full";
  const auto expect_error = [&](const std::vector<std::string>& arguments) {
    EXPECT_THAT(run(arguments, full),
                FailsWith(1, "cannot write to standard output: No space left on device"))
        << testing::PrintToString(arguments);
  };
  expect_error({"--help"});
  expect_error({"--version"});
  for (const char* name : kCommands) expect_error({name, "--help"});
  expect_error({"train", "films", "--out", "other", "--epochs", "1", "--set", "evaluation.ks=[2]",
                "train.metric=ndcg@2"});
  expect_error({"evaluate", "run"});
  expect_error({"evaluate", "run", "--json"});
  expect_error({"recommend", "run", "--all"});
  expect_error({"recommend", "run", "--history", "new.tsv"});
  expect_error({"score", "run", "--pairs", "pairs.tsv"});
  expect_error({"similar", "run", "--item", "drama-0"});
  expect_error({"inspect", "films"});
  expect_error({"inspect", "films", "--json"});
  expect_error({"inspect", "films", "--memory"});
  expect_error({"info"});
  expect_error({"info", "--json"});
}

TEST_F(Usage, AReaderThatWentAwayIsNoFailure) {
  Streams gone;
  gone.close_out = true;
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--help"}, {"train", "--help"}, {"info", "--json"}}) {
    const Outcome outcome = run(arguments, gone);
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_THAT(outcome.err, IsEmpty());
  }
}

TEST_F(Usage, InfoNamesBuildAndDevices) {
  const Outcome text = run({"info"});
  EXPECT_EQ(text.exit_code, 0);
  EXPECT_THAT(text.out, AllOf(StartsWith("tern "), HasSubstr("\ncuda "), HasSubstr("\ncpu ")));
  const Outcome json = run({"info", "--json"});
  EXPECT_EQ(json.exit_code, 0);
  EXPECT_THAT(json.out, AllOf(StartsWith("{\"version\":"), HasSubstr("\"device\":\"cpu\"")));
}

}  // namespace
}  // namespace tern::test
