#include "host/data/text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "host/support/parallel.hpp"
#include "tests/data/data_files.hpp"

namespace tern {
namespace {

using testing::data_complaint;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ParallelFor, ThrowsTheFirstErrorWhateverTheThreads) {
  for (const int threads : {1, 2, 7}) {
    const ThreadLimit limit(threads);
    for (int repeat = 0; repeat < 20; ++repeat) {
      try {
        parallel_for(100, [](std::int64_t i) {
          if (i % 10 == 3) throw i;
        });
        FAIL() << "nothing was thrown";
      } catch (std::int64_t i) {
        EXPECT_EQ(i, 3);
      }
    }
  }
}

TEST(SplitAtLines, CutsBehindLineEnds) {
  EXPECT_THAT(split_at_lines("ab\ncd\nef", Quotes::kNone, 1), ElementsAre("ab\n", "cd\n", "ef"));
  EXPECT_THAT(split_at_lines("ab\ncd\nef\n", Quotes::kNone, 3), ElementsAre("ab\ncd\n", "ef\n"));
  EXPECT_THAT(split_at_lines("ab", Quotes::kNone, 100), ElementsAre("ab"));
  EXPECT_THAT(split_at_lines("a\"\nb\"\nc\n", Quotes::kNone, 1),
              ElementsAre("a\"\n", "b\"\n", "c\n"));
  EXPECT_THAT(split_at_lines("a\"\nb\"\nc\n", Quotes::kDouble, 1),
              ElementsAre("a\"\nb\"\n", "c\n"));
  EXPECT_TRUE(split_at_lines("", Quotes::kNone, 1).empty());
}

TEST(SplitAtLines, LosesNothingAndCutsOnlyBetweenRows) {
  std::mt19937 random(4);
  for (int repeat = 0; repeat < 100; ++repeat) {
    std::string text;
    const std::size_t rows = random() % 30;
    for (std::size_t row = 0; row < rows; ++row) {
      // A quoted field with line ends and doubled quotes, or a plain one.
      text += random() % 2 == 0 ? "\"a\n\"\"\nb\"" : std::string(random() % 9, 'c');
      text += '\n';
    }
    const std::size_t chunk = 1 + random() % 20;
    std::string joined;
    for (const std::string_view piece : split_at_lines(text, Quotes::kDouble, chunk)) {
      ASSERT_FALSE(piece.empty());
      ASSERT_EQ(piece.back(), '\n');
      ASSERT_EQ(std::count(piece.begin(), piece.end(), '"') % 2, 0);
      joined += piece;
    }
    ASSERT_EQ(joined, text);
  }
}

TEST(CheckedText, TakesByteOrderMarksOff) {
  EXPECT_EQ(checked_text("\xEF\xBB\xBF"
                         "1 2",
                         "f"),
            "1 2");
  EXPECT_THAT(data_complaint([] {
                checked_text(
                    "\xFF\xFE"
                    "1",
                    "f");
              }),
              HasSubstr("f:1: the text is UTF-16"));
  EXPECT_THAT(data_complaint([] { checked_text("", "f"); }), HasSubstr("f: the file is empty"));
  EXPECT_THAT(data_complaint([] { checked_text("\xEF\xBB\xBF", "f"); }), HasSubstr("empty"));
  EXPECT_THAT(data_complaint([] { checked_text(" \n\r\n\t\n", "f"); }), HasSubstr("blank lines"));
}

TEST(BlankOutComments, KeepsLineNumbers) {
  const auto blanked = [](std::string text) {
    const std::int64_t count = blank_out_comments(text);
    return std::to_string(count) + ":" + text;
  };
  EXPECT_EQ(blanked("# a\r\n% b\n1 2\n# 3\n"), "2:   \r\n   \n1 2\n# 3\n");
  EXPECT_EQ(blanked("#user\titem\n"), "0:#user\titem\n");
  EXPECT_EQ(blanked("# a"), "1:   ");
  EXPECT_EQ(blanked("\xEF\xBB\xBF# a\nb"), "1:\xEF\xBB\xBF   \nb");
  EXPECT_EQ(blanked(""), "0:");
}

TEST(ParseNumber, TakesOneDecimalCommaIfAllowed) {
  EXPECT_EQ(parse_number("3,5", DecimalComma::kAllowed), 3.5);
  EXPECT_EQ(parse_number(" -3,25e1 ", DecimalComma::kAllowed), -32.5);
  EXPECT_EQ(parse_number("4", DecimalComma::kAllowed), 4.0);
  EXPECT_EQ(parse_number("3,5"), std::nullopt);
  for (const char* text : {"3,", ",5", "1,2,3", "1,234.5", "1.5,2", "a,1", "3,-5"}) {
    EXPECT_EQ(parse_number(text, DecimalComma::kAllowed), std::nullopt) << text;
  }
}

TEST(Latin1ToUtf8, KeepsEachCharacter) {
  EXPECT_EQ(latin1_to_utf8("Jos\xE9 \x80\xFF").view(), "Jos\xC3\xA9 \xC2\x80\xC3\xBF");
  EXPECT_EQ(latin1_to_utf8("").view(), "");
}

TEST(ParseNumber, TakesDecimalsAlone) {
  EXPECT_EQ(parse_number("12"), 12.0);
  EXPECT_EQ(parse_number("-0.5"), -0.5);
  EXPECT_EQ(parse_number("+3"), 3.0);
  EXPECT_EQ(parse_number(" 1e3\t"), 1000.0);
  EXPECT_EQ(parse_number(".5"), 0.5);
  EXPECT_TRUE(std::isinf(*parse_number("inf")));
  EXPECT_TRUE(std::isnan(*parse_number("nan")));
  for (const char* text : {"", " ", "+", "-", "+-1", "1,5", "0x10", "1 2", "one", "1e", "--1"}) {
    EXPECT_EQ(parse_number(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace tern
