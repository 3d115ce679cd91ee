// Small files in the layouts of public data sets: each is read without options, or with the one that
// its error names.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/data/dates.hpp"
#include "tern/dataset.hpp"
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

std::filesystem::path format_file(const std::string& name) {
  return std::filesystem::path(TERN_TEST_DATA) / "formats" / name;
}

/// All interactions, wherever the split puts them.
std::vector<std::string> pairs_of(const Dataset& data) {
  std::vector<std::string> pairs;
  for (const Interactions* split : {&data.train, &data.valid, &data.test}) {
    const std::vector<std::string> some = named_pairs(data, *split);
    pairs.insert(pairs.end(), some.begin(), some.end());
  }
  std::sort(pairs.begin(), pairs.end());
  return pairs;
}

struct Format {
  const char* file;
  std::vector<std::string> pairs;
  const char* columns;  // a part of the note on the file
};

const Format kFormats[] = {
    {"movielens_100k_u.data",
     {"402 77", "402 31", "801 77", "801 51", "22 90"},
     "user = column 1, item = column 2, rating = column 3, timestamp = column 4; no header."},
    {"movielens_1m_ratings.dat",
     {"1 2201", "1 45", "2 2201", "2 88"},
     "\"::\"-separated; user = column 1, item = column 2, rating = column 3, timestamp = column 4"},
    {"movielens_25m_ratings.csv",
     {"1 501", "1 502", "2 501", "2 503"},
     "item = column 2 \"movieId\", rating = column 3 \"rating\", timestamp = column 4 "
     "\"timestamp\"."},
    {"amazon_2014_ratings.csv",
     {"A1AAAAAAAAAAAB B000000A4R", "A1AAAAAAAAAAAB B000000A4S", "A3AAAAAAAAAAA6 B000000A4R"},
     "user = column 1, item = column 2, rating = column 3, timestamp = column 4; no header."},
    {"amazon_2018_ratings.csv",
     {"A1BBBBB0BB4BJ 0440000006", "A1BBBBB0BB4BJ B0000A2AA5", "A2CCCC4C6CCCC1 0440000006"},
     "user = column 2, item = column 1, rating = column 3, timestamp = column 4; no header."},
    {"amazon_2014_reviews.jsonl",
     {"A14EEE5EEE3E9E 0000010001", "A2DDDD1D3DDD3D 0000010001", "A2DDDD1D3DDD3D 0000010002"},
     "user = \"reviewerID\", item = \"asin\", rating = \"overall\", timestamp = "
     "\"unixReviewTime\"; not "
     "read: \"reviewerName\""},
    {"amazon_2023_reviews.csv",
     {"AFAAAAAAAA7A7A7AAA5AAA6AAAAQ B01AAAAAAE", "AGBBBBBBBBBBBBB6BBBBBBBB2BBA B076BBBBBM"},
     "item = column 2 \"parent_asin\""},
    {"steam_200k.csv",
     {"150000012 Fallout 4", "150000012 The Elder Scrolls V Skyrim",
      "180000047 Sid Meier's Civilization V, Gods \"and\" Kings"},
     "user = column 1, item = column 2; no header; not read: column 3, column 4, column 5."},
    {"lastfm_hetrec_user_artists.dat",
     {"2 51", "2 52", "3 51"},
     "item = column 2 \"artistID\", rating = column 3 \"weight\"."},
    {"gowalla_totalCheckins.txt",
     {"0 20847", "0 420015", "1 20847"},
     "user = column 1, item = column 5, timestamp = column 2 (dates); no header; not read: column "
     "3, "
     "column 4."},
    {"recbole.inter",
     {"402 31", "801 77", "801 51"},
     "user = column 1 \"user_id:token\", item = column 2 \"item_id:token\", rating = column 3 "},
    {"goodreads_interactions.csv",
     {"0 947", "0 948", "1 948"},
     "rating = column 4 \"rating\"; not read"},
    {"goodreads_interactions.jsonl",
     {"88000000000000000000000000000d4d 18000060", "88000000000000000000000000000d4d 18000053"},
     "item = \"book_id\", rating = \"rating\", timestamp = \"date_added\" (dates)"},
    {"yelp_review.json",
     {"OooOOo7OOoo6OoOOO5o77O 7AAAaAAaA3aAaa4AA3AaaA",
      "uh_-aaaa6a5aaaaaaaaaaA XXxxXxXx-x0XX3_XxxX5Xx"},
     "item = \"business_id\", rating = \"stars\", timestamp = \"date\" (dates)"},
    {"hm_transactions_train.csv",
     {"0000580000000000000000000000000000000000000000000000000000000318 0540000023",
      "0000580000000000000000000000000000000000000000000000000000000318 0660000001",
      "00007d0000000000000000000000000000000000000000000000000000000cc2 0660000001"},
     "timestamp = column 1 \"t_dat\" (dates); not read: column 4 \"price\", column 5"},
    {"retailrocket_events.csv",
     {"250097 350008", "590028 350075", "990029 240076"},
     "user = column 2 \"visitorid\", item = column 4 \"itemid\", timestamp = column 1 "
     "\"timestamp\"; not "
     "read: column 3 \"event\", column 5 \"transactionid\"."},
    {"foursquare_tsmc2014.txt",
     {"470 490000000000000000001fe3", "979 4a0000000000000000001fe3"},
     "user = column 1, item = column 2, timestamp = column 8 (dates); no header"},
    {"unknown_header.csv",
     {"1 10", "2 10", "2 30"},
     "user = column 1 \"src\", item = column 2 \"dst\"."},
    {"unknown_header_chinese.csv", {"1 10", "2 10", "2 30"}, "user = column 1 \"用户\""},
    {"decimal_comma.csv",
     {"1 10", "1 11", "2 10"},
     "semicolon-separated; user = column 2 \"user\""},
    {"r_write_table.txt",
     {"u 1 i \"2\"", "u 1 i,1", "u 2 i,1"},
     "blank-separated; user = column 1 \"user\", item = column 2 \"item\", rating = column 3"},
    {"quoted_text.csv",
     {"1 10", "2 10", "2 11"},
     "rating = column 4 \"rating\"; not read: column 3"},
};

TEST(Formats, ArePlainlyRecognised) {
  for (const Format& format : kFormats) {
    const Dataset data = load_dataset(format_file(format.file));
    EXPECT_THAT(pairs_of(data), ::testing::UnorderedElementsAreArray(format.pairs)) << format.file;
    EXPECT_THAT(data.notes, Contains(HasSubstr(format.columns))) << format.file;
  }
}

TEST(Formats, AreReadCompressedAndUnderOtherNames) {
  const TemporaryDirectory directory;
  for (const Format& format : kFormats) {
    const std::string bytes = testing::read_bytes(format_file(format.file));
    for (const char* name : {"data", "DATA.TXT", "ratings.CSV.GZ", "x.inter.zst"}) {
      const std::string packed = std::string(name).ends_with("GZ")    ? testing::gzip(bytes)
                                 : std::string(name).ends_with("zst") ? testing::zstd(bytes)
                                                                      : bytes;
      const Dataset data = load_dataset(directory.write(name, packed));
      EXPECT_THAT(pairs_of(data), ::testing::UnorderedElementsAreArray(format.pairs))
          << format.file << name;
    }
  }
}

TEST(Formats, EpinionsAndWeightsAreTablesOfNumbers) {
  const Dataset epinions = load_dataset(format_file("epinions_ratings_data.txt"));
  EXPECT_EQ(pairs_of(epinions).size(), 30u);
  EXPECT_EQ(epinions.users.size(), 5);
  EXPECT_THAT(epinions.notes, Contains(HasSubstr("a table because every line has 3 numbers")));
  const Dataset weights = load_dataset(format_file("weights_train.txt"));
  EXPECT_EQ(weights.users.size(), 6);
  EXPECT_THAT(weights.notes, Contains(HasSubstr("rating = column 3; no header.")));
}

TEST(Formats, BookCrossingNeedsItsEncoding) {
  const std::filesystem::path file = format_file("book_crossing_ratings.csv");
  EXPECT_THAT(data_complaint([&] { load_dataset(file); }),
              AllOf(HasSubstr("ratings.csv:5: an id is not UTF-8; such ids in the file: 1"),
                    HasSubstr("data.encoding = latin-1")));
  DataOptions options;
  options.encoding = TextEncoding::kLatin1;
  const Dataset data = load_dataset(file, options);
  EXPECT_THAT(pairs_of(data), ElementsAre("900025 030000104X", "900026 0100001224",
                                          "900026 030000104X", "900029 0-9710107-0-é"));
  EXPECT_THAT(data.notes,
              Contains(HasSubstr("semicolon-separated; user = column 1 \"User-ID\", item = "
                                 "column 2 \"ISBN\", rating = column 3 \"Book-Rating\".")));
  EXPECT_THAT(data.notes, Not(Contains(HasSubstr("probably wrong"))));
}

TEST(Formats, Latin1OfUtf8IsReported) {
  const TemporaryDirectory directory;
  DataOptions options;
  options.encoding = TextEncoding::kLatin1;
  EXPECT_THAT(
      load_dataset(directory.write("a.csv", "Jos\xC3\xA9,x\n"), options).notes,
      Contains(HasSubstr("a.csv: the text is valid UTF-8, so that data.encoding = latin-1 is "
                         "probably wrong.")));
}

TEST(Formats, CommentsOfSnapAndKonectAreLeftOut) {
  const TemporaryDirectory directory;
  const Dataset edges = load_dataset(
      directory.write("edges.txt", "# Nodes: 3\n# FromNodeId\tToNodeId\n0\t1\n0\t2\n\n1\t2\n"));
  EXPECT_THAT(pairs_of(edges), ElementsAre("0 1", "0 2", "1 2"));
  EXPECT_THAT(edges.notes, Contains("edges.txt: comment lines left out: 2."));
  EXPECT_THAT(edges.notes, Contains("edges.txt: blank lines left out: 1."));
  const std::filesystem::path konect = directory.write("out.x", "% sym positive\na b 1.5\na c\n");
  EXPECT_THAT(data_complaint([&] { load_dataset(konect); }), HasSubstr("out.x:3: found 2 columns"));
}

TEST(Formats, IdsThatAreOneNumberAreReported) {
  const TemporaryDirectory directory;
  directory.write("train.csv", "user,item\na,1\nb,2\nb,10\n");
  directory.write("test.csv", "user,item\na,2.0\nb,1.0\nb,7.0\nb,1.5\n");
  const Dataset data = load_dataset(directory.path());
  EXPECT_EQ(data.items.size(), 7);
  EXPECT_THAT(data.notes,
              Contains("Warning: item ids that are written in two ways, such as \"2.0\" and "
                       "\"2\", and count as different items: 2."));
}

TEST(Formats, TiesAtTheCutOfATimeSplitAreCounted) {
  const TemporaryDirectory directory;
  DataOptions options;
  options.split = SplitMethod::kTime;
  options.test_fraction = 0.3;
  options.valid_fraction = 0;
  const auto notes = [&](const char* text) {
    return load_dataset(directory.write("a.csv", text), options).notes;
  };
  const std::string begin = "Interactions of the very time at which the test set begins: ";
  EXPECT_THAT(
      notes("user,item,date\na,1,2020-01-01\na,2,2020-01-02\na,3,2020-01-02\nb,1,2020-01-02\n"
            "b,2,2020-01-02\nb,3,2020-01-03\nb,4,2020-01-01\nb,5,2020-01-01\nb,6,2020-01-01\n"
            "b,7,2020-01-01\n"),
      Contains(begin + "4; the 2 that come last in the data are held out, the other 2 are not."));
  EXPECT_THAT(
      notes("user,item,date\na,1,2020-01-01\na,2,2020-01-02\na,3,2020-01-03\nb,1,2020-01-04\n"),
      Not(Contains(HasSubstr(begin))));
}

}  // namespace
}  // namespace tern
