// Files as people have them: exported by a spreadsheet, concatenated, or in another format altogether.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tern/dataset.hpp"
#include "tern/tensor_file.hpp"
#include "tests/data/data_files.hpp"
#include "tests/data/named_pairs.hpp"

namespace tern {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using testing::data_complaint;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::named_pairs;
using ::testing::Not;
using testing::TemporaryDirectory;

class Newcomer : public ::testing::Test {
 protected:
  Dataset load(std::string_view text, const DataOptions& options = {},
               const char* name = "ratings.csv") {
    return load_interactions(directory.write(name, text), options);
  }
  std::vector<std::string> pairs(std::string_view text, const char* name = "ratings.csv") {
    const Dataset data = load(text, {}, name);
    return named_pairs(data, data.train);
  }
  std::string complaint_of(std::string_view text, const char* name = "ratings.csv") {
    return data_complaint([&] { load(text, {}, name); });
  }

  TemporaryDirectory directory;
};

TEST_F(Newcomer, MixesTabsAndBlanks) {
  EXPECT_THAT(pairs("1   10\t5\n1   11\t4\n2   10\t3.5\n", "u.txt"),
              ElementsAre("1 10", "1 11", "2 10"));
  EXPECT_THAT(pairs("user\titem rating\n1\t10 5\n1\t11 4\n2\t10 3\n", "u.txt"),
              ElementsAre("1 10", "1 11", "2 10"));
  // Words keep their blanks, and so do dates.
  EXPECT_THAT(pairs("user\titem\n1\tBlue Moon\n2\tRed Moon\n", "u.tsv"),
              ElementsAre("1 Blue Moon", "2 Red Moon"));
  EXPECT_THAT(pairs("1\t7\t2020-01-01 10:00:00\n2\t7\t2020-01-02 10:00:00\n", "u.tsv"),
              ElementsAre("1 7", "2 7"));
}

TEST_F(Newcomer, ExportsFromASpreadsheet) {
  EXPECT_THAT(pairs("sep=;\r\nuser;item;rating\r\n1;10;3,5\r\n2;11;4\r\n"),
              ElementsAre("1 10", "2 11"));
  EXPECT_THAT(pairs("\xEF\xBB\xBFuser;item;rating\r\n1;10;3,5\r\n2;11;4\r\n"),
              ElementsAre("1 10", "2 11"));
  EXPECT_THAT(complaint_of("PK\x03\x04..........", "r.xlsx"),
              HasSubstr("found a zip archive or an Excel file (unzip, or save as CSV)"));
}

TEST_F(Newcomer, SavesFeaturesWithSemicolons) {
  directory.write("interactions.csv", "user,item\n1,a\n1,b\n2,a\n2,b\n");
  directory.write("item_features.csv", "item_id;price;kind\r\na;2,5;Caf\xE9\r\nb;3;Bar\r\n");
  DataOptions options;
  options.encoding = TextEncoding::kLatin1;
  const Dataset data = load_dataset(directory.path(), options);
  EXPECT_THAT(data.item_features->names, ElementsAre("price", "kind=Bar", "kind=Caf\xC3\xA9"));
  EXPECT_THAT(data.item_features->values, ElementsAre(2.5F, 0, 1, 3, 1, 0));
}

TEST_F(Newcomer, HasCommentsOfAnyLength) {
  EXPECT_THAT(pairs("# ratings\n#\n#\r\nuser,item\n1,2\n3,4\n"), ElementsAre("1 2", "3 4"));
  // An id may begin with the character.
  EXPECT_THAT(pairs("#a,x\n#b,y\n"), ElementsAre("#a x", "#b y"));
}

TEST_F(Newcomer, HasLineEndsOfAnOldMac) {
  EXPECT_THAT(
      complaint_of("user,item\r1,2\r3,4\r"),
      AllOf(HasSubstr("ratings.csv:1: the lines end with CR alone"), HasSubstr("tr '\\r'")));
}

TEST_F(Newcomer, LacksRatings) {
  const char* text = "user,item,rating\n1,10,NaN\n1,11,4\n2,10,\n2,11,2\n";
  const Dataset all = load(text);
  EXPECT_EQ(all.train.size(), 4);
  EXPECT_THAT(all.notes,
              Contains("ratings.csv: interactions without a rating, which are kept: 2."));
  DataOptions options;
  options.min_rating = 3;
  const Dataset some = load(text, options);
  EXPECT_THAT(named_pairs(some, some.train), ElementsAre("1 11"));
  EXPECT_THAT(some.notes,
              Contains("ratings.csv: interactions without a rating, which are dropped: 2."));
  EXPECT_THAT(some.notes, Contains(HasSubstr("ratings.csv: interactions: 4;")));
}

TEST_F(Newcomer, JoinsFilesWithTheirHeaders) {
  const Dataset data = load("user,item\n1,10\n2,11\nuser,item\n3,10\n");
  EXPECT_THAT(named_pairs(data, data.train), ElementsAre("1 10", "2 11", "3 10"));
  EXPECT_THAT(data.notes, Contains("ratings.csv: rows that repeat the header, left out: 1."));
  // With a column of ratings, too. A row that shares only one name stays.
  EXPECT_THAT(pairs("user,item,rating\n1,10,5\nuser,item,rating\nuser,11,4\n"),
              ElementsAre("1 10", "user 11"));
}

TEST_F(Newcomer, HasOneUserOrOneItem) {
  const auto notes_of = [&](std::string_view text) {
    return load_dataset(directory.write("e.txt", text)).notes;
  };
  EXPECT_THAT(notes_of("1 -> 10\n2 -> 11\n3 -> 10\n"),
              Contains(AllOf(HasSubstr("all interactions have the same item, \"->\""),
                             HasSubstr("data.item_column"))));
  EXPECT_THAT(notes_of("user,item\n7,1\n7,2\n"), Contains(HasSubstr("the same user, \"7\"")));
  EXPECT_THAT(notes_of("user,item\n7,1\n8,2\n"), Not(Contains(HasSubstr("the same"))));
  // Interactions that are only looked up in a run can well be those of one user.
  EXPECT_THAT(load("user,item\n7,1\n7,2\n").notes, Not(Contains(HasSubstr("the same"))));
  EXPECT_THAT(load("7 1 2 30\n", {}, "one.txt").notes, Not(Contains(HasSubstr("occur nowhere"))));
}

TEST_F(Newcomer, GivesFilesThatAreNoText) {
  using namespace std::string_literals;
  EXPECT_THAT(complaint_of("PAR1\x15\x04"s), HasSubstr("found a Parquet file"));
  EXPECT_THAT(complaint_of("\x93NUMPY\x01"s), HasSubstr("found a NumPy array"));
  EXPECT_THAT(complaint_of("SQLite format 3\0."s), HasSubstr("found an SQLite database"));
  EXPECT_THAT(complaint_of("\x89HDF\r\n\x1A\n"s), HasSubstr("found an HDF5 file"));
  EXPECT_THAT(complaint_of("\xFD\x37zXZ\0"s), HasSubstr("found xz data (unxz)"));
}

}  // namespace
}  // namespace tern
