#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "host/data/feature_table.hpp"
#include "host/data/features.hpp"
#include "tern/tensor_file.hpp"
#include "tests/data/data_files.hpp"

namespace tern {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using testing::data_complaint;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::numbered;
using ::testing::SizeIs;
using ::testing::StartsWith;
using testing::TemporaryDirectory;

Vocabulary names_of(std::initializer_list<const char*> list) {
  Vocabulary names;
  for (const char* name : list) names.add(name);
  return names;
}

struct Read {
  Features features;
  std::vector<std::string> notes;
};

/// Features of items.
Read read(std::string_view text, const Vocabulary& names, TableFormat format = TableFormat::kTsv,
          std::size_t chunk_bytes = 1 << 20, const DataOptions& options = {}) {
  Read result;
  FeatureTableTask task;
  task.side = Side::kItem;
  task.format = format;
  task.chunk_bytes = chunk_bytes;
  result.features = parse_feature_table(text, "f.tsv", task, names, options, result.notes);
  return result;
}

TEST(FeatureTable, MakesNumbersCategoriesAndTags) {
  const Read result = read(
      "package\tsize\tsection\ttags\n"
      "dpkg\t2.5\tadmin\trole::program|use::a\n"
      "apt\t\tadmin\tuse::b\n"
      "libc6\t-1e1\tlibs\t\n",
      names_of({"apt", "dpkg", "libc6"}));
  EXPECT_THAT(result.features.names,
              ElementsAre("size", "section=admin", "section=libs", "tags=role::program",
                          "tags=use::a", "tags=use::b"));
  EXPECT_THAT(result.features.values, ElementsAre(-3.75F, 1, 0, 0, 0, 1,    // apt: the mean
                                                  2.5F, 1, 0, 1, 1, 0,      // dpkg
                                                  -10.0F, 0, 1, 0, 0, 0));  // libc6
  EXPECT_EQ(result.features.width(), 6);
  EXPECT_THAT(
      result.notes,
      ElementsAre(HasSubstr("columns of features: 6, nodes with a row: 3; size "
                            "(numbers), section (2 values), tags (3"),
                  "f.tsv: missing numbers, which count as the mean of their column: size (1)."));
}

TEST(FeatureTable, CountsUnknownAndMissingIds) {
  const Read result = read("id\tkind\na\tx\nstranger\tz\nb\ty\n", names_of({"a", "b", "c"}));
  // Values of unknown ids only make no column.
  EXPECT_THAT(result.features.names, ElementsAre("kind=x", "kind=y"));
  EXPECT_THAT(result.features.values, ElementsAre(1, 0, 0, 1, 0, 0));
  EXPECT_THAT(result.notes,
              Contains(HasSubstr("rows of ids that are not in the data, left out: 1")));
  EXPECT_THAT(result.notes,
              Contains(HasSubstr("nodes without a row, whose features are zeros: 1.")));
}

TEST(FeatureTable, OneWordMakesAColumnOfCategories) {
  const Read result = read("id\tn\na\t1\nb\t2|1\n", names_of({"a", "b"}));
  EXPECT_THAT(result.features.names, ElementsAre("n=1", "n=2"));
  EXPECT_THAT(result.features.values, ElementsAre(1, 0, 1, 1));
  // Only rows of known ids decide whether a column is numeric.
  EXPECT_THAT(read("id\tn\na\t1\nstranger\tx\n", names_of({"a"})).features.names, ElementsAre("n"));
}

TEST(FeatureTable, ReadsCsvAndNumberedIds) {
  const Read result = read("id,title\r\n1,\"a \"\"b\"\", c\"\r\n0,d\r\n", Vocabulary::numbered(2),
                           TableFormat::kCsv);
  EXPECT_THAT(result.features.names, ElementsAre("title=a \"b\", c", "title=d"));
  EXPECT_THAT(result.features.values, ElementsAre(0, 1, 1, 0));
}

TEST(FeatureTable, AgreesWithASlowReaderInAnyChunks) {
  std::mt19937 random(8);
  Vocabulary names;
  for (int i = 0; i < 200; ++i) names.add(numbered("n", i));
  std::string text = "id\tnumber\tone\tsome\n";
  std::map<NodeId, std::set<std::string>> expected;
  std::map<NodeId, float> numbers;
  for (NodeId node = 199; node >= 0; --node) {
    if (random() % 10 == 0) continue;
    const auto number = static_cast<float>(random() % 1000) / 8;
    numbers[node] = number;
    const std::string one = numbered("c", random() % 7);
    expected[node].insert("one=" + one);
    std::string some;
    for (std::size_t k = random() % 4; k > 0; --k) {
      const std::string tag = numbered("t", random() % 30);
      some.append(some.empty() ? "" : "|").append(tag);
      expected[node].insert("some=" + tag);
    }
    text.append(names.name(node)).append("\t").append(std::to_string(number)).append("\t");
    text.append(one).append("\t").append(some).append("\n");
  }
  for (const std::size_t chunk : {1, 40, 1000, 1 << 20}) {
    const Features features = read(text, names, TableFormat::kTsv, chunk).features;
    ASSERT_EQ(features.values.size(), 200u * features.names.size());
    ASSERT_TRUE(std::is_sorted(features.names.begin() + 1, features.names.end()));
    for (NodeId node = 0; node < 200; ++node) {
      const float* row = features.values.data() + node * features.width();
      ASSERT_EQ(row[0], numbers[node]);
      for (std::size_t c = 1; c < features.names.size(); ++c) {
        ASSERT_EQ(row[c] == 1.0F, expected[node].contains(features.names[c]));
      }
    }
  }
}

TEST(FeatureTable, SaysWhatIsWrongAndWhere) {
  const Vocabulary names = names_of({"a", "b"});
  const auto message = [&](std::string_view text) {
    return data_complaint([&] { read(text, names); });
  };
  EXPECT_THAT(message("id\na\n"), StartsWith("f.tsv:1: the header has one column"));
  EXPECT_THAT(message("id\tx\tx\na\t1\t2\n"),
              StartsWith("f.tsv:1: the header has the column \"x\" twice"));
  EXPECT_THAT(message("a\t3.5\nb\t4\n"),
              AllOf(StartsWith("f.tsv:1: the header has the column \"3.5\""),
                    HasSubstr("expected names in the first row")));
  EXPECT_THAT(message("id\t\na\t1\n"), HasSubstr("the column \"\""));
  EXPECT_THAT(message("id\tx\na\t1\nb\n"), StartsWith("f.tsv:3: found 1 columns, expected 2"));
  EXPECT_THAT(message("id\tx\n\t1\n"), StartsWith("f.tsv:2: id is empty"));
  EXPECT_THAT(message("id\tx\na\t1\nb\t2\na\t3\n"),
              StartsWith("f.tsv:4: id \"a\" has a second row"));
  EXPECT_THAT(message("id\tx\na\t1\nb\tinf\n"),
              AllOf(StartsWith("f.tsv:3: column \"x\" has a number that is not finite")));
  EXPECT_THAT(message("id\tx\na\t1e300\n"), StartsWith("f.tsv:2:"));
  EXPECT_THAT(data_complaint([&] { read("id,x\na,\"b\nc\"\n", names, TableFormat::kCsv); }),
              StartsWith("f.tsv:2: column \"x\" has the value \"b\\x0Ac\""));
}

TEST(FeatureTable, RefusesFreeTextAsCategories) {
  std::string text = "id\ttitle\n";
  Vocabulary names;
  for (int i = 0; i < 1000; ++i) {
    const std::string name = numbered("n", i);
    names.add(name);
    text.append(name).append("\ta title of ").append(name).append("\n");
  }
  DataOptions options;
  // The elements, and in each name the five bytes of the column's name.
  options.max_feature_bytes = 4'004'999;
  EXPECT_THAT(data_complaint([&] { read(text, names, TableFormat::kTsv, 1 << 20, options); }),
              AllOf(HasSubstr("1000 columns wide and take 4e+06 bytes, more than "
                              "data.max_feature_bytes = 4004999"),
                    HasSubstr("\"title\" alone has 1000 values")));
  options.max_feature_bytes = 4'005'000;
  EXPECT_EQ(read(text, names, TableFormat::kTsv, 1 << 20, options).features.width(), 1000);
  options.max_categories = 999;
  EXPECT_THAT(data_complaint([&] { read(text, names, TableFormat::kTsv, 1 << 20, options); }),
              AllOf(HasSubstr("the column \"title\" has 1000 different values, more than "
                              "data.max_categories = 999"),
                    HasSubstr("remove it, or raise")));
  std::string header = "id";
  for (int i = 0; i < 70'000; ++i) header += "\tc";
  EXPECT_THAT(data_complaint([&] { read(header, names); }), HasSubstr("more than 65536 columns"));
}

TEST(FeatureTable, FindsTheColumnOfIds) {
  const auto key = [](std::string_view text, const Vocabulary& names,
                      const DataOptions& options = {}) {
    const Read result = read(text, names, TableFormat::kTsv, 1 << 20, options);
    EXPECT_THAT(result.notes.front(), HasSubstr("nodes with a row: 2;"));
    return result.features.names;
  };
  const Vocabulary numbers = names_of({"1", "2"});
  // A known name, wherever it stands, also with RecBole's types, and before "id".
  EXPECT_THAT(key("rank\tmovieId\n2\t1\n1\t2\n", numbers), ElementsAre("rank"));
  EXPECT_THAT(key("rank:float\titem_id:token\n2\t1\n1\t2\n", numbers), ElementsAre("rank"));
  EXPECT_THAT(key("id\titem\n0\t1\n1\t2\n", numbers), ElementsAre("id"));
  EXPECT_THAT(key("n\tID\n2\t1\n1\t2\n", numbers), ElementsAre("n"));
  // Known names without ids of the data, and columns that repeat, are features.
  EXPECT_THAT(key("artist_id\tcode\n7\t1\n7\t2\n", numbers), ElementsAre("artist_id"));
  EXPECT_THAT(key("artist_id\ttrack_id\n1\t1\n1\t2\n", numbers), ElementsAre("artist_id"));
  // No known name: the first column with ids, but no title.
  const Vocabulary words = names_of({"a", "b"});
  EXPECT_THAT(key("year\tpackage\n1\ta\n2\tb\n", words), ElementsAre("year"));
  EXPECT_THAT(key("title\tcode\n1\t1\n2\t2\n", numbers), ElementsAre("title"));
  EXPECT_THAT(key("genre\tname\nx\ta\ny\tb\n", words), ElementsAre("genre=x", "genre=y"));
  // An index by pandas has no name.
  EXPECT_THAT(key("\tyear\na\t1\nb\t2\n", words), ElementsAre("year"));
  const Read indexed = read("\titem\tyear\n0\ta\t1\n1\tb\t2\n", words);
  EXPECT_THAT(indexed.features.names, ElementsAre("year"));
  EXPECT_THAT(indexed.notes,
              Contains("f.tsv: columns that are not read: the first one, without a name."));
  // The option of the interactions counts here, too.
  DataOptions options;
  options.item_column = "code";
  EXPECT_THAT(key("id\tcode\n1\t1\n2\t2\n", numbers, options), ElementsAre("id"));
}

TEST(FeatureTable, RefusesRowsOfOtherIdsOnly) {
  EXPECT_THAT(data_complaint([] {
                read("id\tx\n7\t1\n8\t2\n", names_of({"a", "b"}));
              }),
              HasSubstr("no row belongs to the data: the column \"id\" has ids such as \"7\", but "
                        "items have ids such as \"a\""));
  EXPECT_THAT(data_complaint([] { read("id\tx\n", names_of({"a"})); }),
              HasSubstr("no rows below its header"));
}

TEST(FeatureTable, MissingNumbersAreTheMean) {
  const Vocabulary names = names_of({"a", "b", "c", "d", "e"});
  const Read result = read(
      "id\tx\ty\tz\n"
      "a\t1\t\\N\tNA\n"
      "b\tnan\tNULL\tred\n"
      "c\tN/A\tNone\t\n"
      "d\t 4 \t \t3\n"
      "other\t100\t1\tblue\n",
      names);
  EXPECT_THAT(result.features.names, ElementsAre("x", "y", "z=3", "z=NA", "z=red"));
  EXPECT_THAT(result.features.values, ElementsAre(1, 0, 0, 1, 0,    // a
                                                  2.5, 0, 0, 0, 1,  // b
                                                  2.5, 0, 0, 0, 0,  // c
                                                  4, 0, 1, 0, 0,    // d
                                                  0, 0, 0, 0, 0));  // e has no row
  EXPECT_THAT(result.notes, Contains("f.tsv: missing numbers, which count as the mean of their "
                                     "column: x (2), y (4)."));
}

TEST(FeatureTable, ObeysTheTypesOfRecBole) {
  const Read result = read(
      "item_id:token\tyear:token\tgenre:token_seq\tprice:float\tvector:float_seq\n"
      "a\t1995\tAction Crime\t2.5\t1 2\n"
      "b\t1996\tCrime\t3\t3 4\n",
      names_of({"a", "b"}));
  EXPECT_THAT(result.features.names,
              ElementsAre("year=1995", "year=1996", "genre=Action", "genre=Crime", "price"));
  EXPECT_THAT(result.features.values, ElementsAre(1, 0, 1, 1, 2.5F, 0, 1, 0, 1, 3));
  EXPECT_THAT(result.notes, Contains("f.tsv: columns that are not read: vector."));
  EXPECT_THAT(data_complaint([] { read("item_id:token\tv:float_seq\na\t1 2\n", names_of({"a"})); }),
              HasSubstr("no column of features besides the ids in \"item_id\": not read: v"));
}

/// The result for items with these ids, and perhaps a file of the ids of rows.
Read read_array(const std::filesystem::path& path, const Vocabulary& names,
                const std::optional<std::filesystem::path>& ids = {}) {
  Read result;
  result.features =
      read_features({path, SourceFormat::kNpy}, {Side::kItem, names, find_id_numbers(names), ids},
                    {}, result.notes);
  return result;
}

TEST(FeatureArray, GivesRowRToTheIdR) {
  const TemporaryDirectory directory;
  const std::filesystem::path file = directory / "item_features.npy";
  // Nodes are numbered by their first appearance. Id 1 does not appear.
  const Vocabulary names = names_of({"3", "0", "2"});
  write_npy(file, {{4, 2}, std::vector<double>{0, 10, 1, 11, 2, 12, 3, 13}});
  const Read read = read_array(file, names);
  EXPECT_THAT(read.features.values, ElementsAre(3, 13, 0, 10, 2, 12));
  EXPECT_THAT(read.features.names, ElementsAre("item_features[0]", "item_features[1]"));
  EXPECT_THAT(read.notes,
              ElementsAre("item_features.npy: columns of features: 2, nodes with a row: 3; row r "
                          "belongs to id r.",
                          "item_features.npy: rows of ids that are not in the data, left out: 1."));
  // An array of one dimension is one column.
  write_npy(file, {{4}, std::vector<std::int64_t>{7, 8, 9, 10}});
  EXPECT_THAT(read_array(file, names).features.values, ElementsAre(10, 7, 9));
  EXPECT_THAT(read_array(file, Vocabulary::numbered(3)).features.values, ElementsAre(7, 8, 9));
}

TEST(FeatureArray, GivesRowsToTheIdsOfAFile) {
  const TemporaryDirectory directory;
  const std::filesystem::path file = directory / "item_features.npy";
  const Vocabulary names = names_of({"b", "a b", "c"});
  write_npy(file, {{3, 1}, std::vector<float>{1, 2, 3}});
  const std::filesystem::path ids = directory.write("item_ids.txt", "a b\nother\r\nb\n");
  const Read read = read_array(file, names, ids);
  EXPECT_THAT(read.features.values, ElementsAre(3, 1, 0));
  EXPECT_THAT(
      read.notes,
      ElementsAre(AllOf(HasSubstr("nodes with a row: 2"), HasSubstr("the ids in item_ids.txt.")),
                  HasSubstr("rows of ids that are not in the data, left out: 1."),
                  HasSubstr("nodes without a row, whose features are zeros: 1.")));
  // The file decides, even if ids are numbers.
  directory.write("item_ids.txt", "1\n2\n0\n");
  EXPECT_THAT(read_array(file, Vocabulary::numbered(3), ids).features.values, ElementsAre(3, 1, 2));
  const auto message = [&](std::string_view text) {
    directory.write("item_ids.txt", text);
    return data_complaint([&] { read_array(file, names, ids); });
  };
  EXPECT_THAT(message("b\nc\n"),
              AllOf(StartsWith(ids.string()),
                    HasSubstr("found 2 lines, expected 3, one for each row of item_features.npy")));
  EXPECT_THAT(message("b\nc\nb\n"), StartsWith(ids.string() + ":3: found the id \"b\" again"));
  EXPECT_THAT(message("b\n\nc\n"), StartsWith(ids.string() + ":2: the line is empty"));
  EXPECT_THAT(message("x\ny\nz\n"), HasSubstr("no id is in the data: found ids such as \"x\", but "
                                              "items have ids such as \"b\""));
}

TEST(FeatureArray, RefusesRowsWithoutIds) {
  const TemporaryDirectory directory;
  const std::filesystem::path file = directory / "item_features.npy";
  write_npy(file, {{3, 1}, std::vector<float>(3)});
  const auto message = [&](std::initializer_list<const char*> ids) {
    return data_complaint([&] { read_array(file, names_of(ids)); });
  };
  EXPECT_THAT(message({"0", "apple", "2"}),
              AllOf(StartsWith(file.string()),
                    HasSubstr("which item each of its 3 rows belongs to: found the id \"apple\", "
                              "expected numbers from 0 to 2"),
                    HasSubstr("add item_ids.txt beside it"), HasSubstr("(item_features.tsv)")));
  // Ids from 1, as in MovieLens: the rows of an array cannot be guessed.
  EXPECT_THAT(message({"1", "2", "3"}), HasSubstr("found the id 3"));
  EXPECT_THAT(message({"0", "01"}), HasSubstr("found the id \"01\""));
  EXPECT_THAT(message({"0", "-1"}), HasSubstr("found the id \"-1\""));
  EXPECT_THAT(message({"0", "1.0"}), HasSubstr("found the id \"1.0\""));
  EXPECT_THAT(message({"99999999999999999999"}), HasSubstr("found the id \"9999"));
}

TEST(FeatureArray, CountsIdsThatAFilterDrops) {
  const TemporaryDirectory directory;
  // Without user 3, ids would look like the rows 0 to 2.
  directory.write("interactions.csv", "user,item,rating\n3,x,1\n1,x,5\n1,y,5\n2,x,5\n2,y,5\n");
  write_npy(directory / "user_features.npy", {{3, 1}, std::vector<float>{1, 2, 3}});
  DataOptions options;
  options.min_rating = 4;
  EXPECT_THAT(data_complaint([&] { load_dataset(directory.path(), options); }),
              HasSubstr("found the id 3, expected numbers from 0 to 2"));
  write_npy(directory / "user_features.npy", {{4, 1}, std::vector<float>{1, 2, 3, 4}});
  EXPECT_THAT(load_dataset(directory.path(), options).user_features->values, ElementsAre(2, 3));
}

TEST(FeatureArray, FitsAdjacencyLists) {
  const TemporaryDirectory directory;
  directory.write("train.txt", "2 0 1\n0 1\n1 0\n");
  write_npy(directory / "user_features.npy", {{3, 1}, std::vector<float>{1, 2, 3}});
  EXPECT_THAT(load_dataset(directory.path()).user_features->values, ElementsAre(1, 2, 3));
  // Sparse ids.
  directory.write("train.txt", "5000 0 1\n0 1\n70 0\n");
  EXPECT_THAT(data_complaint([&] { load_dataset(directory.path()); }),
              HasSubstr("found the id 5000, expected numbers from 0 to 2"));
  directory.write("user_ids.txt", "5000\n70\n0\n");
  EXPECT_THAT(load_dataset(directory.path()).user_features->values, ElementsAre(3, 2, 1));
}

TEST(FeatureArray, SaysWhatDoesNotFit) {
  const TemporaryDirectory directory;
  const std::filesystem::path file = directory / "item_features.npy";
  const Vocabulary names = Vocabulary::numbered(3);
  const auto message = [&](const Tensor& tensor) {
    write_npy(file, tensor);
    return data_complaint([&] { read_array(file, names); });
  };
  EXPECT_THAT(message({{2, 1}, std::vector<float>(2)}),
              AllOf(StartsWith(file.string()), HasSubstr("its 2 rows"), HasSubstr("the id 2")));
  EXPECT_THAT(message({{3, 1, 1}, std::vector<float>(3)}), HasSubstr("the shape [3, 1, 1]"));
  EXPECT_THAT(message({{}, std::vector<float>(1)}), HasSubstr("the shape []"));
  EXPECT_THAT(message({{3, 0}, std::vector<float>()}), HasSubstr("no columns"));
  EXPECT_THAT(message({{3, 2}, std::vector<double>{1, 2, 3, 1e300, 5, 6}}),
              HasSubstr("row 1, column 1 (from 0): found a number that is not finite"));
}

}  // namespace
}  // namespace tern
