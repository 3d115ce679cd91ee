// Tables, adjacency lists and JSON lines, told apart by what they hold.

#include "host/data/recognition.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>

#include "tests/data/data_files.hpp"

namespace tern {
namespace {

using ::testing::AllOf;
using testing::data_complaint;
using ::testing::HasSubstr;
using ::testing::StartsWith;

Reading reading_of(std::string_view text, SourceFormat by_name = SourceFormat::kAdjacency,
                   const DataOptions& options = {}) {
  const InteractionText one{text, "f", by_name};
  return recognise(std::span(&one, 1), options).front();
}

DataFormat format_of(std::string_view text, SourceFormat by_name = SourceFormat::kAdjacency) {
  return reading_of(text, by_name).format;
}

std::string separator_of(std::string_view text, SourceFormat by_name = SourceFormat::kUnknown,
                         const DataOptions& options = {}) {
  return separator_name(reading_of(text, by_name, options).table);
}

std::string refusal(std::string_view text) {
  return data_complaint([&] { reading_of(text); });
}

/// Users with so many items each, sorted or not.
std::string list_of(int users, int least, int most, bool sorted) {
  std::mt19937 random(7);
  std::string text;
  for (int user = 0; user < users; ++user) {
    std::vector<std::uint64_t> items;
    const int count = least + static_cast<int>(random() % static_cast<unsigned>(most - least + 1));
    for (int i = 0; i < count; ++i) items.push_back(random() % 500);
    if (sorted) std::sort(items.begin(), items.end());
    text += fmt::format("{} {}\n", user, fmt::join(items, " "));
  }
  return text;
}

TEST(Recognise, KeepsAdjacencyLists) {
  for (const bool sorted : {true, false}) {
    EXPECT_EQ(format_of(list_of(2000, 1, 40, sorted)), DataFormat::kAdjacency);
    EXPECT_EQ(format_of(list_of(50, 0, 3, sorted)), DataFormat::kAdjacency);
    // All users have as many items by chance.
    for (const int items : {1, 2, 3, 4, 10, 30}) {
      for (const int users : {1, 2, 3, 5, 30, 3000}) {
        EXPECT_EQ(format_of(list_of(users, items, items, sorted)), DataFormat::kAdjacency)
            << users << " users with " << items;
      }
    }
  }
  EXPECT_EQ(format_of("0\n1 5 4\n2\n"), DataFormat::kAdjacency);
  EXPECT_EQ(format_of("0\n1\n"), DataFormat::kAdjacency);
  EXPECT_EQ(format_of("7 3\n"), DataFormat::kAdjacency);
  // Users that repeat, with lines of different lengths.
  EXPECT_EQ(format_of("0 1 2 1\n1 2\n0 2 3\n"), DataFormat::kAdjacency);
  // A bad id is reported by the reader of lists.
  EXPECT_EQ(format_of("0 1 2\n1 two 3\n2 4 5\n"), DataFormat::kAdjacency);
  EXPECT_EQ(format_of("0 1 2\n1 two\n2 4 5 6\n"), DataFormat::kAdjacency);
}

/// "user item rating [time]", a few items a user.
std::string ratings_of(int users, int ratings, std::string_view separator, bool times) {
  std::mt19937 random(8);
  std::string text;
  for (int user = 0; user < users; ++user) {
    for (int k = 0; k < 5; ++k) {
      text += fmt::format("{1}{0}{2}{0}{3}", separator, user, random() % 300,
                          random() % static_cast<unsigned>(ratings) + 1);
      text += times ? fmt::format("{}{}\n", separator, 880'000'000 + random() % 1'000'000) : "\n";
    }
  }
  return text;
}

TEST(Recognise, FindsTablesOfNumbers) {
  for (const char* separator : {" ", "\t", "  "}) {
    for (const int ratings : {1, 5, 10, 5000}) {
      const Reading reading = reading_of(ratings_of(30, ratings, separator, false));
      EXPECT_EQ(reading.format, DataFormat::kTable) << ratings;
      EXPECT_THAT(reading.description,
                  HasSubstr("a table because every line has 3 numbers, and users "
                            "repeat (data.format = adjacency"));
    }
    EXPECT_EQ(format_of(ratings_of(30, 5, separator, true)), DataFormat::kTable);
  }
  // Times are evidence enough for a few lines, also if no user repeats.
  EXPECT_EQ(format_of("196 242 3 881250949\n186 302 3 891717742\n"), DataFormat::kTable);
  EXPECT_EQ(format_of("196 242 881250949\n186 302 891717742\n"), DataFormat::kTable);
  // No list has words, fractions, large or negative numbers.
  EXPECT_EQ(format_of("1 5 4.5\n2 7 3\n3 9 4\n"), DataFormat::kTable);
  EXPECT_EQ(format_of("1 5 4\n2 x 3\ny 7 3\n"), DataFormat::kTable);
  EXPECT_EQ(format_of("0 1\n1 two\n"), DataFormat::kTable);
  EXPECT_EQ(format_of("user item rating\n1 5 4\n2 7 3\n"), DataFormat::kTable);
  EXPECT_EQ(format_of("1 9148955329465708066\n2 9148955329465708067\n"), DataFormat::kTable);
  EXPECT_EQ(format_of("1 5 1\n2 7 -1\n"), DataFormat::kTable);
}

TEST(Recognise, LeavesABrokenLineToTheReaderOfTables) {
  EXPECT_EQ(format_of(ratings_of(100, 5, " ", false) + "3 7\n"), DataFormat::kTable);
}

TEST(Recognise, RefusesWhatCanBeBoth) {
  EXPECT_THAT(refusal("\n1 5 4\n1 7 5\n2 5 4\n2 9 5\n3 7 4\n"),
              AllOf(StartsWith("f:2: every line has 3 numbers"),
                    HasSubstr("a table (user 1, item 5, rating 4)"),
                    HasSubstr("an adjacency list (user 1 with the items 5 and 4)"),
                    HasSubstr("data.format = table or data.format = adjacency")));
  // One line a user, as in a test set, with a third column of ratings or weights.
  std::string ratings;
  std::string weights;
  for (int user = 0; user < 100; ++user) {
    ratings += fmt::format("{} {} {}\n", user, (user * 37) % 91 + 6, user % 5 + 1);
    weights += fmt::format("{} {} 1\n", user, (user * 37) % 91 + 6);
  }
  EXPECT_THAT(refusal(ratings), HasSubstr("choose with data.format"));
  EXPECT_THAT(refusal(weights), HasSubstr("choose with data.format"));
}

TEST(Recognise, RefusesRowsOfThreeNumbersToLookUp) {
  const auto reading = [](std::string_view text) {
    const InteractionText one{text, "f", SourceFormat::kAdjacency};
    return recognise(std::span(&one, 1), {}, PoolUse::kRows).front().format;
  };
  for (const std::string& text : {std::string("1 5 4\n2 7 3\n"), list_of(100, 2, 2, false)}) {
    EXPECT_EQ(format_of(text), DataFormat::kAdjacency);
    EXPECT_THAT(data_complaint([&] { reading(text); }),
                AllOf(StartsWith("f:1: every line has 3 numbers"),
                      HasSubstr("data.format = table or data.format = adjacency")));
  }
  EXPECT_EQ(reading("user item rating\n1 5 4\n2 7 3\n"), DataFormat::kTable);
  EXPECT_EQ(reading("1 5 4.0\n2 7 3.5\n"), DataFormat::kTable);
  EXPECT_EQ(reading("1 5 881250949\n2 7 881250950\n"), DataFormat::kTable);
  EXPECT_EQ(reading("1 5\n2 7\n"), DataFormat::kAdjacency);  // both readings are the same
  EXPECT_EQ(reading("1 5 4\n2 7 3 9\n"), DataFormat::kAdjacency);
  EXPECT_EQ(reading("1 5 4 8 6 2\n"), DataFormat::kAdjacency);
}

TEST(Recognise, ObeysOptions) {
  DataOptions options;
  options.format = DataFormat::kAdjacency;
  EXPECT_EQ(reading_of("1 5 4\n1 7 5\n", SourceFormat::kCsv, options).format,
            DataFormat::kAdjacency);
  options.format = DataFormat::kTable;
  EXPECT_EQ(reading_of("0 1 2\n1 2 3\n", SourceFormat::kAdjacency, options).format,
            DataFormat::kTable);
  options = {};
  options.rating_column = "3";  // a list has no columns
  EXPECT_EQ(reading_of("1 5 4\n1 7 5\n", SourceFormat::kAdjacency, options).format,
            DataFormat::kTable);
  options = {};
  options.separator = "space";
  EXPECT_EQ(reading_of("1 5 4\n1 7 5\n", SourceFormat::kAdjacency, options).format,
            DataFormat::kTable);
}

TEST(Recognise, JudgesFilesOfADirectoryTogether) {
  const std::string list = list_of(100, 1, 9, true);
  const std::string table = ratings_of(30, 5, " ", false);
  const std::string either = "1 5\n2 7\n";
  const std::string unclear = "1 5 4\n1 7 5\n2 5 4\n";
  const auto formats = [](const std::string& train, const std::string& test) {
    const std::vector<InteractionText> texts{{train, "train", SourceFormat::kAdjacency},
                                             {test, "test", SourceFormat::kAdjacency}};
    const std::vector<Reading> readings = recognise(texts, {});
    EXPECT_EQ(readings[0].format, readings[1].format);
    return readings[0].format;
  };
  for (const std::string& other : {either, unclear, list_of(20, 2, 2, true)}) {
    EXPECT_EQ(formats(list, other), DataFormat::kAdjacency);
  }
  EXPECT_EQ(formats("a b 1\n", unclear), DataFormat::kTable);
  EXPECT_EQ(formats(table, either), DataFormat::kTable);
  EXPECT_EQ(formats(either, either), DataFormat::kAdjacency);
  EXPECT_THAT(data_complaint([&] { formats(either, unclear); }), StartsWith("test:1: every line"));
  EXPECT_THAT(data_complaint([&] { formats(list, "a b\n"); }),
              StartsWith("train: looks like an adjacency list and test like a table"));
  EXPECT_THAT(data_complaint([&] { formats(list, "{\"user\": 1}\n"); }),
              HasSubstr("holds JSON lines"));
}

TEST(Recognise, TakesNumbersOfANamedTableAsATable) {
  EXPECT_EQ(format_of("1\t5\t4\n1\t7\t5\n", SourceFormat::kTsv), DataFormat::kTable);
  EXPECT_EQ(format_of("1 5\n2 7\n", SourceFormat::kOtherTable), DataFormat::kTable);
  EXPECT_EQ(format_of("1 5\n2 7\n", SourceFormat::kUnknown), DataFormat::kAdjacency);
}

TEST(Recognise, FindsJsonLines) {
  EXPECT_EQ(format_of("\n {\"user\": 1}\n"), DataFormat::kJsonLines);
  EXPECT_THAT(refusal("[\n{\"user\": 1}]"),
              AllOf(StartsWith("f:1: found a JSON array"), HasSubstr("jq")));
}

TEST(RecogniseSeparator, DividesRowsAlike) {
  EXPECT_EQ(separator_of("a\tb, c\nd\te\n"), "tab");
  EXPECT_EQ(separator_of("a::b::1\nc::d::2\n"), "\"::\"");
  EXPECT_EQ(separator_of("a,b c\nd,e\n"), "comma");
  EXPECT_EQ(separator_of("1;10;3,5\n1;11;4,5\n"), "semicolon");
  EXPECT_EQ(separator_of("a,b,x|y\nc,d,x|z\n"), "comma");
  EXPECT_EQ(separator_of("a|b|3,5\nc|d|4,5\n"), "pipe");
  EXPECT_EQ(separator_of("a b 3.5\nc  d\t4\n"), "blank");
  EXPECT_EQ(separator_of("user;item\nSmith, J;x\nBloggs, F;y\n"), "semicolon");
  EXPECT_EQ(separator_of("user;item\nSmith, J;x\nBloggs, F;y\n", SourceFormat::kCsv), "semicolon");
  // A broken row: 19 of 20 rows are divided alike.
  std::string rows;
  for (int i = 0; i < 19; ++i) rows += "a;b;c\n";
  EXPECT_EQ(separator_of(rows + "a;b\n"), "semicolon");
}

TEST(RecogniseSeparator, ReadsQuotesOfAWholeColumn) {
  const auto quotes = [](std::string_view text) {
    return reading_of(text, SourceFormat::kUnknown).table.quotes;
  };
  EXPECT_EQ(quotes("u i\n\"a b\" 1\n\"c\" 2\n"), Quotes::kDouble);
  EXPECT_EQ(quotes("\"u\"\t\"i\"\n\"a\"\t1\n\"b\"\t2\n"), Quotes::kDouble);
  // Quotes of single fields are parts of them.
  EXPECT_EQ(quotes("u\ti\na\t\"x\" y\nb\t\"z\"\n"), Quotes::kNone);
  EXPECT_EQ(quotes("u\ti\na\t5\" disc\nb\tz\n"), Quotes::kNone);
}

TEST(RecogniseSeparator, RefusesTwoThatDivideAlike) {
  EXPECT_THAT(data_complaint([] { separator_of("12;7,5\n13;8,5\n"); }),
              AllOf(HasSubstr("divided by a comma or by a semicolon"),
                    HasSubstr("data.separator = comma or data.separator = semicolon")));
  EXPECT_EQ(separator_of("12;7,5\n13;8,5\n", SourceFormat::kCsv), "comma");
  EXPECT_THAT(data_complaint([] { separator_of("abc\ndef ghi\nj k l\n"); }),
              HasSubstr("the format is not recognised"));
}

TEST(RecogniseSeparator, ObeysTheOption) {
  const auto with = [](const char* separator, std::string_view text) {
    DataOptions options;
    options.separator = separator;
    return separator_of(text, SourceFormat::kUnknown, options);
  };
  EXPECT_EQ(with(";", "12;7,5\n"), "semicolon");
  EXPECT_EQ(with("comma", "12;7,5\n"), "comma");
  EXPECT_EQ(with("\t", "a\tb\n"), "tab");
  EXPECT_EQ(with("^", "a^b\n"), "\"^\"");
  EXPECT_EQ(with("space", "a\tb\n"), "blank");
}

}  // namespace
}  // namespace tern
