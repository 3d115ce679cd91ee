#include "host/data/interaction_table.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "host/data/dates.hpp"
#include "tests/data/data_files.hpp"

namespace tern {
namespace {

using ::testing::AllOf;
using testing::complaint;
using testing::data_complaint;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

/// A table, and the vocabularies that number its ids.
struct ReadTable {
  Vocabulary users;
  Vocabulary items;
  InteractionTable table;

  /// "user item" for every row.
  std::vector<std::string> rows() const {
    std::vector<std::string> rows;
    for (const auto& [user, item] : table.pairs) {
      rows.push_back(users.name(user).append(" ").append(items.name(item)));
    }
    return rows;
  }
};

ReadTable read(std::string_view text, TableFormat format = TableFormat::kTsv,
               const DataOptions& options = {}, std::size_t chunk_bytes = 1 << 20) {
  ReadTable result;
  result.table =
      parse_interactions(text, "t", format, options, result.users, result.items, chunk_bytes);
  return result;
}

TEST(ParseInteractions, NumbersIdsInOrderOfFirstAppearance) {
  const ReadTable result = read("b\tz\na\tz\nb\ty\n");
  EXPECT_THAT(result.rows(), ElementsAre("b z", "a z", "b y"));
  EXPECT_EQ(result.users.name(0), "b");
  EXPECT_EQ(result.items.name(1), "y");
  EXPECT_FALSE(result.table.has_times);
}

TEST(ParseInteractions, RecognisesHeadersByKnownNames) {
  EXPECT_THAT(read("item_id\tuser_id\nx\ta\n").rows(), ElementsAre("a x"));
  EXPECT_THAT(read("userId,movieId,rating,timestamp\n1,10,4.5,99\n", TableFormat::kCsv).rows(),
              ElementsAre("1 10"));
  const ReadTable atomic = read("user_id:token\titem_id:token\ttimestamp:float\na\tx\t7\n");
  EXPECT_THAT(atomic.rows(), ElementsAre("a x"));
  EXPECT_THAT(atomic.table.times, ElementsAre(7.0));
  EXPECT_THAT(atomic.table.columns, HasSubstr("timestamp = column 3 \"timestamp:float\""));
  EXPECT_THAT(read("timestamp\titem\tuser\n5\tx\ta\n").table.times, ElementsAre(5.0));
}

TEST(ParseInteractions, RecognisesHeadersByNumbersThatAreNone) {
  const ReadTable named = read("who\twhat\tstars given\na\tx\t3\n");
  EXPECT_THAT(named.rows(), ElementsAre("a x"));
  EXPECT_THAT(named.table.columns, HasSubstr("rating = column 3 \"stars given\""));
  EXPECT_THAT(read("a\tx\t3\nb\ty\t4\n").rows(), ElementsAre("a x", "b y"));
  EXPECT_THAT(read("a\tx\t3\nb\ty\t4\n").table.columns, HasSubstr("no header"));
  EXPECT_THAT(read("who\twhat\na\tx\n").rows(), ElementsAre("who what", "a x"));
}

TEST(ParseInteractions, RecognisesHeadersByTypesAndByNumbersBelow) {
  EXPECT_THAT(read("x:token\ty:token\na\tb\n").rows(), ElementsAre("a b"));
  EXPECT_THAT(read("src,dst\n1,7\n2,8\n", TableFormat::kCsv).rows(), ElementsAre("1 7", "2 8"));
  EXPECT_THAT(read("von,nach\n1,x\n2,y\n", TableFormat::kCsv).rows(), ElementsAre("1 x", "2 y"));
  EXPECT_THAT(read("who,what,day\na,x,2020-01-31\n", TableFormat::kCsv).rows(), ElementsAre("a x"));
  // A number in the first row, or words below it: no header.
  EXPECT_THAT(read("a,7\nb,8\n", TableFormat::kCsv).rows(), ElementsAre("a 7", "b 8"));
  EXPECT_THAT(read("a,b\n1,x\nc,y\n", TableFormat::kCsv).rows(), ElementsAre("a b", "1 x", "c y"));
  // A word that names one side only can be an id.
  EXPECT_THAT(read("ann\tnews\nbob\tgame\n").rows(), ElementsAre("ann news", "bob game"));
}

TEST(ParseInteractions, ObeysTheHeaderOption) {
  DataOptions options;
  options.header = HeaderRow::kNo;
  EXPECT_THAT(read("user\titem\na\tx\n", TableFormat::kTsv, options).rows(),
              ElementsAre("user item", "a x"));
  options.user_column = "user";
  EXPECT_THAT(
      complaint<ConfigError>([&] { read("user\titem\na\tx\n", TableFormat::kTsv, options); }),
      HasSubstr("expected a position, because data.header is no"));
  options = {};
  options.header = HeaderRow::kYes;
  EXPECT_THAT(read("p\tq\na\tx\n", TableFormat::kTsv, options).rows(), ElementsAre("a x"));
}

TEST(ParseInteractions, FindsRatingsAndTimesByWhatTheyHold) {
  // Words are no ratings, and a number behind them is no time.
  const ReadTable words = read("a\tx\tplay\t2.5\n");
  EXPECT_THAT(words.table.columns, AllOf(HasSubstr("; not read: column 3, column 4"),
                                         ::testing::Not(HasSubstr("rating"))));
  EXPECT_FALSE(words.table.has_times);
  EXPECT_THAT(read("a\tx\t1513641600\n").table.times, ElementsAre(1513641600.0));
  EXPECT_THAT(read("a\tx\t2018-09-20\n").table.times, ElementsAre(1537401600.0));
  EXPECT_THAT(read("a\tx\t9\t1513641600\n").table.times, ElementsAre(1513641600.0));
  const ReadTable places = read("a\t2010-10-19T23:55:27Z\t30.23\t-97.79\t22847\n");
  EXPECT_THAT(places.rows(), ElementsAre("a 22847"));
  EXPECT_THAT(places.table.times, ElementsAre(*parse_date("2010-10-19 23:55:27")));
  EXPECT_THAT(data_complaint([] { read("a\t2010-10-19\t3\t17\n"); }),
              AllOf(StartsWith("t:1: column 2 holds dates such as \"2010-10-19\""),
                    HasSubstr("data.item_column")));
  EXPECT_THAT(data_complaint([] { read("2010-10-19\ta\tx\n"); }),
              HasSubstr("column 1 holds dates"));
  const ReadTable unreadable = read("user\titem\tdate\na\tx\t31.12.99\n");
  EXPECT_FALSE(unreadable.table.has_times);
  EXPECT_THAT(unreadable.table.warnings,
              ElementsAre(HasSubstr("Column 3 is not read as timestamps")));
}

TEST(ParseInteractions, WarnsOfDatesAsIds) {
  DataOptions options;
  options.item_column = "2";
  EXPECT_THAT(read("a\t2010-10-19\n", TableFormat::kTsv, options).table.warnings,
              ElementsAre(HasSubstr("The item ids in column 2 look like dates")));
}

TEST(ParseInteractions, ReadsDecimalCommas) {
  DataOptions options;
  options.min_rating = 3.4;
  const TableFormat semicolons{';', Separation::kOne, Quotes::kDouble};
  EXPECT_THAT(read("1;10;3,5\n1;11;3\n2;10;3,25\n", semicolons, options).rows(),
              ElementsAre("1 10"));
  // Beside a decimal point, a comma may divide thousands.
  EXPECT_THAT(data_complaint([&] { read("1;10;3.5\n1;11;1,234\n", semicolons, options); }),
              StartsWith("t:2: rating \"1,234\" is not a finite number"));
}

TEST(ParseInteractions, RefusesIdsThatAreNotUtf8) {
  // As JSON, "Jos\xE9" and "Jos\xE8" would be one.
  for (const std::size_t chunk : {1, 1000}) {
    EXPECT_THAT(data_complaint([&] {
                  read("a\tx\nJos\xE9\tx\nJos\xE8\ty\nJos\xE9\tz\n", TableFormat::kTsv, {}, chunk);
                }),
                AllOf(StartsWith("t:2: an id is not UTF-8; such ids in the file: 2, for example"),
                      HasSubstr("Jos\\xE8"), HasSubstr("data.encoding = latin-1")));
  }
  // A column that is not read may hold anything.
  EXPECT_THAT(read("user\titem\ttext\na\tx\t\xE9\n").rows(), ElementsAre("a x"));
}

ReadTable read_json(std::string_view text, const DataOptions& options = {},
                    std::size_t chunk_bytes = 1 << 20) {
  ReadTable result;
  result.table =
      parse_interactions(text, "t", JsonLines{}, options, result.users, result.items, chunk_bytes);
  return result;
}

TEST(ParseJsonLines, ReadsKeysByNameInAnyOrder) {
  const std::string text =
      "{\"user_id\": 7, \"stars\": 4.5, \"tags\": [{\"item\": 1}], \"item\": \"x \\u00e9\"}\n\n"
      "{\"item\": 9148955329465708066, \"user_id\": \"a\", \"stars\": \"2\"}\r\n"
      "{\"item\": 9148955329465708067, \"user_id\": true, \"stars\": 1, \"extra\": null}\n";
  for (const std::size_t chunk : {1, 40, 10'000}) {
    const ReadTable result = read_json(text, {}, chunk);
    EXPECT_THAT(result.rows(),
                ElementsAre("7 x \u00e9", "a 9148955329465708066", "true 9148955329465708067"));
    EXPECT_EQ(result.table.ratings, (RatingRange{1.0, 4.5}));
    EXPECT_EQ(result.table.blank_lines, 1);
    EXPECT_THAT(result.table.columns, HasSubstr("user = \"user_id\", item = \"item\""));
  }
  DataOptions options;
  options.user_column = "p";
  options.item_column = "2";
  EXPECT_THAT(read_json("{\"2\": \"x\", \"p\": \"a\"}", options).rows(), ElementsAre("a x"));
}

TEST(ParseJsonLines, SaysWhatIsWrongAndWhere) {
  const auto message = [](std::string_view text) {
    return data_complaint([&] { read_json(text, {}, 1); });
  };
  const std::string good = "{\"user\": 1, \"item\": 2}\n";
  EXPECT_THAT(message(good + "{\"user\": 1, \"item\": 2\n"),
              StartsWith("t:2: the line is not JSON"));
  EXPECT_THAT(message(good + "{'user': 1, 'item': 2}"),
              StartsWith("t:2: the line is not JSON from"));
  EXPECT_THAT(message(good + "\n{\"user\": 1}"), StartsWith("t:3: the object has no \"item\""));
  EXPECT_THAT(message(good + "[1, 2]"), StartsWith("t:2: found an array, expected a JSON object"));
  EXPECT_THAT(message(good + "7"), StartsWith("t:2: found a value, expected a JSON object"));
  EXPECT_THAT(message(good + "{\"user\": [1], \"item\": 2}"),
              StartsWith("t:2: \"user\" is an array"));
  EXPECT_THAT(message(good + "{\"user\": {}, \"item\": 2}"),
              StartsWith("t:2: \"user\" is an object"));
  EXPECT_THAT(message(good + "{\"user\": null, \"item\": 2}"), StartsWith("t:2: user id is empty"));
  EXPECT_THAT(message(good + "{\"user\": \"\\u0000\", \"item\": 2}"), HasSubstr("has a NUL byte"));
  EXPECT_THAT(
      message("{\"x\": 1, \"item\": 2}"),
      AllOf(StartsWith("t:1: the keys name no user column"), HasSubstr("data.user_column")));
}

TEST(ParseInteractions, FindsColumnsByNameAndByPosition) {
  DataOptions by_name;
  by_name.user_column = "who";
  by_name.item_column = "what";
  by_name.timestamp_column = "when";
  const ReadTable named = read("when\twhat\twho\n3\tx\ta\n", TableFormat::kTsv, by_name);
  EXPECT_THAT(named.rows(), ElementsAre("a x"));
  EXPECT_THAT(named.table.times, ElementsAre(3.0));

  DataOptions by_position;
  by_position.user_column = "3";
  by_position.item_column = "2";
  by_position.rating_column = "none";
  by_position.timestamp_column = "1";
  const ReadTable placed = read("3\tx\ta\n", TableFormat::kTsv, by_position);
  EXPECT_THAT(placed.rows(), ElementsAre("a x"));
  EXPECT_THAT(placed.table.times, ElementsAre(3.0));
}

TEST(ParseInteractions, DropsWhatIsRatedTooLow) {
  DataOptions options;
  options.min_rating = 3.5;
  const ReadTable result = read("a\tx\t3.5\nb\ty\t3\nb\tx\t5\n", TableFormat::kTsv, options);
  EXPECT_THAT(result.rows(), ElementsAre("a x", "b x"));
  EXPECT_EQ(result.table.below_min_rating, 1);
  EXPECT_EQ(result.items.size(), 2);  // read_pool() later drops items without interactions
  EXPECT_THAT(complaint<ConfigError>([&] { read("a\tx\n", TableFormat::kTsv, options); }),
              HasSubstr("t: data.min_rating is set, but the table has no rating column"));
}

TEST(ParseInteractions, ReadsTheSameInAnyChunks) {
  std::mt19937 random(6);
  std::string text = "user,item,rating,timestamp\n";
  for (int row = 0; row < 500; ++row) {
    const std::string user = std::to_string(random() % 40);
    // Some ids are quoted, with commas and quotes inside. A column that is not read has line ends.
    const std::string item = std::to_string(random() % 60);
    text.append(user).append(random() % 2 == 0 ? ",\"i,\"\"" + item + "\"," : "," + item + ",");
    text.append("1.5,").append(std::to_string(random() % 1000)).append("\n");
  }
  const ReadTable expected = read(text, TableFormat::kCsv);
  EXPECT_EQ(expected.table.pairs.size(), 500u);
  for (const std::size_t chunk : {1, 13, 100, 5000}) {
    const ReadTable result = read(text, TableFormat::kCsv, {}, chunk);
    EXPECT_EQ(result.rows(), expected.rows()) << chunk;
    EXPECT_EQ(result.table.pairs, expected.table.pairs) << chunk;  // the same ids
    EXPECT_EQ(result.table.times, expected.table.times) << chunk;
  }
}

TEST(ParseInteractions, DropsAndCountsTheSameInAnyChunks) {
  std::string text = "user,item,rating,timestamp\n";
  std::vector<double> expected_times;
  for (int row = 0; row < 100; ++row) {
    const int rating = row % 5 + 1;
    text += fmt::format("u{},i{},{},{}\n", row % 7, row, rating, row);
    if (row % 10 == 9) text += "\n";
    if (rating >= 3) expected_times.push_back(row);
  }
  DataOptions options;
  options.min_rating = 3;
  for (const std::size_t chunk : {1, 13, 100, 5000}) {
    const ReadTable result = read(text, TableFormat::kCsv, options, chunk);
    EXPECT_THAT(result.table.times, ::testing::ElementsAreArray(expected_times)) << chunk;
    EXPECT_EQ(result.table.pairs.size(), 60u) << chunk;
    EXPECT_EQ(result.table.below_min_rating, 40) << chunk;
    EXPECT_EQ(result.table.blank_lines, 10) << chunk;
  }
}

TEST(ParseInteractions, SaysWhatIsWrongAndWhere) {
  const auto tsv = [](std::string_view text) { return data_complaint([&] { read(text); }); };
  const auto csv = [](std::string_view text) {
    return data_complaint([&] { read(text, TableFormat::kCsv); });
  };
  EXPECT_THAT(tsv("a\n"), StartsWith("t:1: row \"a\" has one column, expected at least two"));
  EXPECT_THAT(tsv("\n\na b\n"), StartsWith("t:3:"));
  EXPECT_THAT(tsv("user\tproduct number\na\tx\n"),
              AllOf(StartsWith("t:1: the header names no item column"), HasSubstr("\"user\""),
                    HasSubstr("data.item_column")));
  EXPECT_THAT(tsv("a\tx\nb\n"), StartsWith("t:2: found 1 columns, expected 2"));
  EXPECT_THAT(tsv("a\tx\n\nb\ty\tz\n"), StartsWith("t:3: found 3 columns"));
  EXPECT_THAT(tsv("a\tx\n\ty\n"), StartsWith("t:2: user id is empty"));
  EXPECT_THAT(tsv("a\tx\nb\t\n"), StartsWith("t:2: item id is empty"));
  EXPECT_THAT(tsv("a\tx\t1\nb\ty\tgood\n"),
              AllOf(StartsWith("t:2: rating \"good\" is not a finite number"),
                    HasSubstr("data.rating_column")));
  EXPECT_THAT(tsv("a\tx\tinf\n"), StartsWith("t:1: rating \"inf\""));
  EXPECT_THAT(tsv("a\tx\t1\t1e999\n"), StartsWith("t:1: timestamp"));
  EXPECT_THAT(tsv("a\tx\t1\t7\na\ty\t1\t31/01/2020\n"),
              AllOf(StartsWith("t:2: timestamp \"31/01/2020\" is a date of another form"),
                    HasSubstr("seconds since 1970")));
  EXPECT_THAT(tsv("user\titem\ttimestamp\na\tx\t2020-01-31\nb\tx\t17\n"),
              StartsWith("t:3: timestamp \"17\" is not a date, expected one as in the first rows"));
  EXPECT_THAT(tsv(std::string_view("a\tx\nb\0\ty\n", 9)), StartsWith("t:2: the row has a NUL"));
  EXPECT_THAT(tsv("a\tx\nb\t" + std::string(70'000, 'y')),
              AllOf(StartsWith("t:2: item id"), HasSubstr("at most 65535 bytes")));
  EXPECT_THAT(csv("a,x\n\"b,y\n"), StartsWith("t:2: unclosed quote"));
  EXPECT_THAT(csv("a,x\n\"b\"c,y\n"), StartsWith("t:2: \"c\" follows a closing quote"));
  EXPECT_THAT(csv("a,x\nb\"c,y\n"), StartsWith("t:2: field \"b\\\"c\" has a quote inside"));
  EXPECT_THAT(csv("a,x\n\"b\nc\",y\n"), StartsWith("t:2: user id \"b\\x0Ac\" has a tab or a"));
}

TEST(ParseInteractions, RefusesATabInACommaSeparatedId) {
  for (const char* text : {"a,x\nb\tc,y\n", "a,x\n\"b\tc\",y\n"}) {
    Vocabulary users;
    Vocabulary items;
    EXPECT_THAT(
        data_complaint([&] { parse_interactions(text, "t", TableFormat::kCsv, {}, users, items); }),
        StartsWith("t:2: user id \"b\\x09c\" has a tab"));
  }
}

TEST(ParseInteractions, CountsLinesInsideQuotes) {
  DataOptions options;
  options.rating_column = "none";
  EXPECT_THAT(
      data_complaint([&] { read("a,x,\"1\n\n2\"\nb,y,3\nc,z\n", TableFormat::kCsv, options); }),
      StartsWith("t:5: found 2 columns"));
}

TEST(ParseInteractions, ReportsTheFirstErrorInFileOrderInAnyChunks) {
  std::string text;
  for (int row = 1; row <= 3000; ++row) text += row % 700 == 77 ? "a\tx\tbad\n" : "a\tx\t1\n";
  for (const std::size_t chunk : {1, 50, 4000, 1'000'000}) {
    EXPECT_THAT(data_complaint([&] { read(text, TableFormat::kTsv, {}, chunk); }),
                StartsWith("t:77: rating \"bad\""));
  }
}

TEST(ParseInteractions, SaysWhichOptionsDoNotFit) {
  const auto message = [](const DataOptions& options) {
    return complaint<ConfigError>([&] { read("user\titem\na\tx\n", TableFormat::kTsv, options); });
  };
  DataOptions options;
  options.user_column = "users";
  EXPECT_THAT(message(options), AllOf(HasSubstr("data.user_column: found \"users\""),
                                      HasSubstr("\"user\", \"item\"")));
  options.user_column = "5";
  EXPECT_THAT(message(options),
              HasSubstr("data.user_column: found 5, expected a column from 1 to 2"));
  options.user_column = "0";
  EXPECT_THAT(message(options), HasSubstr("expected a column from 1"));
  options.user_column = "2";
  options.item_column = "2";
  EXPECT_THAT(message(options), HasSubstr("column 2 would be read as item and as something else"));
  options = {};
  options.timestamp_column = "when";
  EXPECT_THAT(message(options), HasSubstr("data.timestamp_column: found \"when\""));
}

TEST(ParseInteractions, TakesAHeaderWithoutRows) {
  EXPECT_THAT(read("user\titem\n").rows(), IsEmpty());
}

}  // namespace
}  // namespace tern
