// Files of interactions as people have them: without a known name, on standard input, in a layout that
// has to be recognised or chosen.

#include "tests/cli/workspace.hpp"

namespace tern::test {
namespace {

using testing::HasSubstr;

class DataFormats : public Workspace {
 protected:
  static Streams piped(const std::string& text) {
    Streams streams;
    streams.in = text;
    return streams;
  }

  /// "user item rating" of 12 people and 10 films.
  static std::string ratings(const std::string& separator) {
    std::string text;
    for (int person = 0; person < 12; ++person) {
      for (int film = person % 2; film < 10; film += 2) {
        text += std::to_string(person) + separator + std::to_string(film) + separator +
                std::to_string(1 + (person + film) % 5) + "\n";
      }
    }
    return text;
  }
};

TEST_F(DataFormats, ReadStandardInput) {
  write("ratings.dat", ratings("::"));
  const Outcome file = run({"inspect", "ratings.dat", "--json"});
  const Outcome pipe = run({"inspect", "-", "--json"}, piped(ratings("::")));
  ASSERT_EQ(pipe.exit_code, 0) << pipe.err;
  EXPECT_THAT(pipe.out, HasSubstr("standard input: interactions: 60; \\\"::\\\"-separated"));
  const auto fingerprint = [](const std::string& text) {
    return text.substr(text.find("\"fingerprint\""), 34);
  };
  EXPECT_EQ(fingerprint(pipe.out), fingerprint(file.out));
  EXPECT_THAT(run({"inspect", "-"}, piped("")),
              FailsAtOnceWith(65, "standard input: the file is empty"));
  EXPECT_THAT(run({"inspect", "-"}, piped("a,x\nb\n")), FailsAtOnceWith(65, "standard input:2: "));
}

TEST_F(DataFormats, TrainOnStandardInput) {
  const Outcome outcome = run(
      {"train", "-", "--epochs", "1", "--set", "evaluation.ks=[1]", "--set", "train.metric=ndcg@1"},
      piped(ratings("\t")));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "runs/stdin-lightgcn-1\n");
}

TEST_F(DataFormats, RefuseWhatCanBeReadInTwoWays) {
  write("t.txt", "1 5 4\n1 7 5\n2 5 4\n2 9 5\n3 7 4\n");
  EXPECT_THAT(run({"inspect", "t.txt"}), FailsAtOnceWith(65, "data.format = adjacency"));
  const Outcome table = run({"inspect", "t.txt", "--set", "data.format=table"});
  EXPECT_THAT(table.out, HasSubstr("rating = column 3; no header."));
  const Outcome list = run({"inspect", "t.txt", "--set", "data.format=adjacency"});
  EXPECT_THAT(list.out, HasSubstr("an adjacency list; lines: 5, interactions: 10."));
  EXPECT_THAT(run({"inspect", "t.txt", "--set", "data.format=list"}),
              FailsAtOnceWith(2, "adjacency"));
}

TEST_F(DataFormats, ReadLatin1IfAsked) {
  write("books.csv", "\"User-ID\";\"ISBN\"\n\"Jos\xE9\";\"x\"\n\"Jos\xE8\";\"y\"\n");
  EXPECT_THAT(run({"inspect", "books.csv"}), FailsAtOnceWith(65, "such ids in the file: 2"));
  const Outcome outcome = run({"inspect", "books.csv", "--set", "data.encoding=latin-1"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("Users: 2, items: 2"));
}

TEST_F(DataFormats, TrainingNamesColumnsThatAreNotRead) {
  write("events.csv", "timestamp,visitorid,event,itemid\n1,a,view,x\n2,a,view,y\n3,b,view,x\n");
  const Outcome outcome = run({"train", "events.csv", "--out", "run", "--epochs", "1", "--set",
                               "evaluation.ks=[1]", "--set", "train.metric=ndcg@1"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("not read: column 3 \"event\"."));
}

TEST_F(DataFormats, AFilterThatLeavesNothingNamesItself) {
  write("r.csv", "user,item,rating\na,x,1\nb,y,5\n");
  EXPECT_THAT(run({"inspect", "r.csv", "--set", "data.min_rating=10"}),
              FailsAtOnceWith(65,
                              "data.min_rating = 10 drops all with a lower rating: 2; the ratings "
                              "are from 1 to 5"));
  EXPECT_THAT(run({"inspect", "r.csv", "--set", "data.k_core=3"}),
              FailsAtOnceWith(65, "before data.k_core = 3, users had at most 1"));
}

}  // namespace
}  // namespace tern::test
