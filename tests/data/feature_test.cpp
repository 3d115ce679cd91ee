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

Read read(std::string_view text, const Vocabulary& names, TableFormat format = TableFormat::kTsv,
          std::size_t chunk_bytes = 1 << 20, const DataOptions& options = {}) {
  Read result;
  result.features =
      parse_feature_table(text, "f.tsv", format, names, options, result.notes, chunk_bytes);
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
  EXPECT_THAT(result.features.values, ElementsAre(0.0F, 1, 0, 0, 0, 1,      // apt
                                                  2.5F, 1, 0, 1, 1, 0,      // dpkg
                                                  -10.0F, 0, 1, 0, 0, 0));  // libc6
  EXPECT_EQ(result.features.width(), 6);
  EXPECT_THAT(result.notes,
              ElementsAre(HasSubstr("columns of features: 6, nodes with a row: 3; size "
                                    "(numbers), section (2 values), tags (3")));
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
  std::string header = "id";
  for (int i = 0; i < 70'000; ++i) header += "\tc";
  EXPECT_THAT(data_complaint([&] { read(header, names); }), HasSubstr("more than 65536 columns"));
}

Read read_array(const std::filesystem::path& path, const FeatureNodes& nodes) {
  Read result;
  result.features = read_features({path, SourceFormat::kNpy}, nodes, {}, result.notes);
  return result;
}

TEST(FeatureArray, TakesRowsInIdOrder) {
  const TemporaryDirectory directory;
  const std::filesystem::path file = directory / "user_features.npy";
  const Vocabulary names = names_of({"a", "b", "c"});
  write_npy(file, {{3, 2}, std::vector<double>{1, 2, 3, 4, 5, 6}});
  const Read all = read_array(file, {names, 3, {}});
  EXPECT_THAT(all.features.values, ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(all.features.names, ElementsAre("user_features[0]", "user_features[1]"));
  const std::vector<NodeId> rows{0, 2};
  EXPECT_THAT(read_array(file, {names_of({"a", "c"}), 3, rows}).features.values,
              ElementsAre(1, 2, 5, 6));
  write_npy(file, {{3}, std::vector<std::int64_t>{7, 8, 9}});
  EXPECT_THAT(read_array(file, {names, 3, {}}).features.values, ElementsAre(7, 8, 9));
}

TEST(FeatureArray, SaysWhatDoesNotFit) {
  const TemporaryDirectory directory;
  const std::filesystem::path file = directory / "item_features.npy";
  const Vocabulary names = Vocabulary::numbered(3);
  const auto message = [&](const Tensor& tensor) {
    write_npy(file, tensor);
    return data_complaint([&] { read_array(file, {names, 3, {}}); });
  };
  EXPECT_THAT(message({{2, 1}, std::vector<float>(2)}),
              AllOf(StartsWith(file.string()), HasSubstr("has 2 rows, expected 3")));
  EXPECT_THAT(message({{4, 1}, std::vector<float>(4)}), HasSubstr("has 4 rows, expected 3"));
  EXPECT_THAT(message({{3, 1, 1}, std::vector<float>(3)}), HasSubstr("the shape [3, 1, 1]"));
  EXPECT_THAT(message({{}, std::vector<float>(1)}), HasSubstr("the shape []"));
  EXPECT_THAT(message({{3, 0}, std::vector<float>()}), HasSubstr("no columns"));
  EXPECT_THAT(message({{3, 2}, std::vector<double>{1, 2, 3, 1e300, 5, 6}}),
              HasSubstr("row 1, column 1 (from 0): found a number that is not finite"));
}

}  // namespace
}  // namespace tern
