#include "tern/vocabulary.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <unordered_map>

#include "host/support/edit_distance.hpp"
#include "tests/data/data_files.hpp"

namespace tern {
namespace {

using testing::data_complaint;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::TemporaryDirectory;

TEST(Vocabulary, NumbersNamesInOrderOfAppearance) {
  Vocabulary names;
  EXPECT_EQ(names.size(), 0);
  EXPECT_EQ(names.find("apt"), std::nullopt);
  EXPECT_EQ(names.add("apt"), 0);
  EXPECT_EQ(names.add("dpkg"), 1);
  EXPECT_EQ(names.add("apt"), 0);
  EXPECT_EQ(names.add("7"), 2);
  EXPECT_EQ(names.add(" apt"), 3);
  EXPECT_EQ(names.size(), 4);
  EXPECT_EQ(names.name(1), "dpkg");
  EXPECT_EQ(names.find("7"), 2);
  EXPECT_EQ(names.find("ap"), std::nullopt);
  EXPECT_FALSE(names.is_numbered());
}

TEST(Vocabulary, AgreesWithAMapOnManyNames) {
  std::mt19937 random(1);
  std::unordered_map<std::string, NodeId> expected;
  Vocabulary names;
  for (int i = 0; i < 50'000; ++i) {
    std::string name(1 + random() % 20, 'x');
    for (char& c : name) c = static_cast<char>('a' + random() % 3);
    const auto [place, is_new] = expected.emplace(name, static_cast<NodeId>(expected.size()));
    ASSERT_EQ(names.add(name), place->second) << name;
  }
  ASSERT_EQ(names.size(), static_cast<NodeId>(expected.size()));
  for (const auto& [name, id] : expected) {
    ASSERT_EQ(names.name(id), name);
    ASSERT_EQ(names.find(name), id);
  }
}

TEST(Vocabulary, RefusesNamesThatItsFileCannotHold) {
  Vocabulary names;
  EXPECT_THROW(names.add(""), ShapeError);
  EXPECT_THROW(names.add("a\tb"), ShapeError);
  EXPECT_THROW(names.add("a\nb"), ShapeError);
  EXPECT_THROW(names.add(std::string_view("a\0b", 3)), ShapeError);
  EXPECT_EQ(names.size(), 0);
  EXPECT_THROW(names.name(0), ShapeError);
  EXPECT_THROW(names.name(-1), ShapeError);
  EXPECT_THROW(Vocabulary::numbered(-1), ShapeError);
}

TEST(Vocabulary, NumberedNamesAreCanonicalNumbers) {
  Vocabulary names = Vocabulary::numbered(12);
  EXPECT_TRUE(names.is_numbered());
  EXPECT_EQ(names.size(), 12);
  EXPECT_EQ(names.name(11), "11");
  EXPECT_EQ(names.find("0"), 0);
  EXPECT_EQ(names.find("11"), 11);
  for (const char* stranger : {"12", "-1", "011", "1.0", "", " 1", "99999999999999999999"}) {
    EXPECT_EQ(names.find(stranger), std::nullopt) << stranger;
  }
  EXPECT_THROW(names.name(12), ShapeError);
}

TEST(Vocabulary, NumberedNamesTakeOthersIn) {
  Vocabulary names = Vocabulary::numbered(3);
  EXPECT_EQ(names.add("2"), 2);
  EXPECT_EQ(names.add("3"), 3);
  EXPECT_TRUE(names.is_numbered());
  EXPECT_EQ(names.add("x"), 4);
  EXPECT_FALSE(names.is_numbered());
  EXPECT_EQ(names.add("5"), 5);
  EXPECT_EQ(names.find("3"), 3);
  EXPECT_EQ(names.name(0), "0");
  EXPECT_EQ(names.size(), 6);
}

TEST(Vocabulary, TakesInAnother) {
  Vocabulary names;
  names.add("b");
  Vocabulary other;
  for (const char* name : {"a", "b", "c"}) other.add(name);
  EXPECT_THAT(names.add_all(other), ElementsAre(1, 0, 2));
  EXPECT_THAT(names.add_all(Vocabulary::numbered(2)), ElementsAre(3, 4));
  EXPECT_EQ(names.name(4), "1");
}

TEST(Vocabulary, MakesSubsets) {
  Vocabulary names;
  for (const char* name : {"a", "b", "c"}) names.add(name);
  const std::vector<NodeId> some{2, 0};
  const Vocabulary subset = names.subset(some);
  EXPECT_EQ(subset.size(), 2);
  EXPECT_EQ(subset.name(0), "c");
  EXPECT_EQ(subset.find("b"), std::nullopt);
  const std::vector<NodeId> repeated{1, 1};
  EXPECT_THROW(names.subset(repeated), ShapeError);
  EXPECT_EQ(Vocabulary::numbered(9).subset(some).name(0), "2");
}

TEST(Vocabulary, SurvivesItsFile) {
  const TemporaryDirectory directory;
  Vocabulary names;
  for (const char* name : {"libc6", "0", "name with blanks ", "caf\xC3\xA9", "\xFF\xFE", "cr\r"}) {
    names.add(name);
  }
  names.write(directory / "users.tsv");
  const Vocabulary back = Vocabulary::read(directory / "users.tsv");
  ASSERT_EQ(back.size(), names.size());
  for (NodeId id = 0; id < names.size(); ++id) EXPECT_EQ(back.name(id), names.name(id));

  Vocabulary::numbered(1000).write(directory / "numbers.tsv");
  const Vocabulary numbers = Vocabulary::read(directory / "numbers.tsv");
  EXPECT_TRUE(numbers.is_numbered());
  EXPECT_EQ(numbers.size(), 1000);
  Vocabulary().write(directory / "none.tsv");
  EXPECT_EQ(Vocabulary::read(directory / "none.tsv").size(), 0);

  directory.write("mixed.tsv", "0\n1\nx\n2\n");
  const Vocabulary mixed = Vocabulary::read(directory / "mixed.tsv");
  EXPECT_EQ(mixed.find("2"), 3);
  EXPECT_EQ(mixed.size(), 4);
}

TEST(Vocabulary, SurvivesItsFileWhereItBeginsLikeCompressedData) {
  const TemporaryDirectory directory;
  for (const char* first : {"\x1F\x8B\x08", "\x28\xB5\x2F\xFD", "BZh91AY&SY", "PK\x03\x04"}) {
    Vocabulary names;
    names.add(first);
    names.write(directory / "names.tsv");
    EXPECT_EQ(Vocabulary::read(directory / "names.tsv").find(first), 0);
  }
}

TEST(Vocabulary, FindsDamageInItsFile) {
  const TemporaryDirectory directory;
  const auto message = [&](std::string_view bytes) {
    const std::filesystem::path file = directory.write("names.tsv", bytes);
    return data_complaint([&] { Vocabulary::read(file); });
  };
  EXPECT_THAT(message("a\nb\na\n"), HasSubstr("names.tsv:3: name \"a\" occurs twice"));
  EXPECT_THAT(message("0\n1\n0\n"), HasSubstr("names.tsv:3:"));
  EXPECT_THAT(message("a\n\nb\n"), HasSubstr("names.tsv:2:"));
  EXPECT_THAT(message("a\tb\n"), HasSubstr("names.tsv:1:"));
  EXPECT_THAT(message(std::string_view("a\0\n", 3)), HasSubstr("names.tsv:1:"));
  EXPECT_THAT(message("a\nb"), HasSubstr("names.tsv:2: the last line has no end"));
  EXPECT_THAT(data_complaint([&] { Vocabulary::read(directory / "absent"); }),
              HasSubstr("No such file"));
}

/// The textbook algorithm, with the whole table.
int plain_distance(std::string_view a, std::string_view b) {
  std::vector<int> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<int>(j);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    int corner = row[0];
    row[0] = static_cast<int>(i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const int substituted = corner + (a[i - 1] == b[j - 1] ? 0 : 1);
      corner = row[j];
      row[j] = std::min({substituted, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

TEST(EditDistance, AgreesWithTheTextbookUpToItsLimit) {
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
  EXPECT_EQ(edit_distance("", "abc"), 3);
  EXPECT_EQ(edit_distance("abc", ""), 3);
  EXPECT_EQ(edit_distance("", ""), 0);
  std::mt19937 random(2);
  for (int i = 0; i < 3000; ++i) {
    std::string a(random() % 65, ' ');
    std::string b(random() % 65, ' ');
    for (char& c : a) c = static_cast<char>('a' + random() % 3);
    for (char& c : b) c = static_cast<char>('a' + random() % 3);
    const int distance = plain_distance(a, b);
    ASSERT_EQ(edit_distance(a, b), distance) << a << " " << b;
    ASSERT_EQ(edit_distance(a, b, distance), distance) << a << " " << b;
    ASSERT_GE(edit_distance(a, b, distance - 1), distance) << a << " " << b;
  }
  EXPECT_EQ(edit_distance(std::string(100, 'a'), std::string(64, 'a')), 0);  // cut after 64 bytes
}

TEST(Vocabulary, NamesTheNearest) {
  Vocabulary names;
  for (const char* name : {"libreoffice", "firefox", "firefox-esr", "libc6", "firebox"}) {
    names.add(name);
  }
  EXPECT_THAT(names.nearest("firefix"), ElementsAre("firefox", "firebox"));
  EXPECT_THAT(names.nearest("libc6", 1), ElementsAre("libc6"));
  EXPECT_THAT(names.nearest("firefix", 0), IsEmpty());
  EXPECT_THAT(names.nearest("", 10), IsEmpty());
  EXPECT_THAT(names.nearest("zzzzzz"), IsEmpty());
  EXPECT_THAT(Vocabulary().nearest("x"), IsEmpty());
}

TEST(Vocabulary, NamesTheNearestNumbers) {
  const Vocabulary names = Vocabulary::numbered(30'000);
  for (const std::string& name : names.nearest("40001")) {
    EXPECT_LE(plain_distance("40001", name), 1);
    EXPECT_TRUE(names.find(name));
  }
  EXPECT_EQ(names.nearest("40001").size(), 3u);
  EXPECT_THAT(names.nearest("firefox"), IsEmpty());
  EXPECT_THAT(names.nearest(std::string(100'000, '7')), IsEmpty());
}

}  // namespace
}  // namespace tern
