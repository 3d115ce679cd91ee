#include "host/data/adjacency.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <string>

#include "host/data/number_ids.hpp"
#include "tests/data/data_files.hpp"

namespace tern {
namespace {

using ::testing::AllOf;
using testing::data_complaint;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::vector<std::pair<NodeId, NodeId>> pairs_of(const AdjacencyList& list) {
  std::vector<std::pair<NodeId, NodeId>> pairs;
  for (const Interaction& pair : list.pairs) pairs.emplace_back(pair.user, pair.item);
  return pairs;
}

using Pairs = std::vector<std::pair<NodeId, NodeId>>;

TEST(ParseAdjacency, ReadsUsersAndTheirItems) {
  const AdjacencyList list = parse_adjacency("0 3 1\n1\n2 0\n", "f");
  EXPECT_EQ(pairs_of(list), (Pairs{{0, 3}, {0, 1}, {2, 0}}));
  EXPECT_THAT(list.users, ElementsAre(0, 1, 2));
  EXPECT_EQ(list.blank_lines, 0);
}

TEST(ParseAdjacency, AcceptsTheWaysOfWritingIt) {
  const Pairs expected{{0, 3}, {0, 1}, {2, 0}};
  for (const std::string text :
       {"0 3 1\n2 0", "0 3 1\r\n2 0\r\n",
        "\xEF\xBB\xBF"
        "0 3 1\n2 0\n",
        "0\t3\t1\n2\t0\n", "  0  3 1 \n2 0 \n", "\n0 3 1\n\n \t\r\n2 0\n\n", "00 03 1\n2 000\n",
        "0 3\n0 1\n2 0\r"}) {
    EXPECT_EQ(pairs_of(parse_adjacency(text, "f")), expected) << text;
  }
  EXPECT_EQ(parse_adjacency("\n0 3 1\n\n \t\r\n2 0\n\n", "f").blank_lines, 4);
  EXPECT_EQ(pairs_of(parse_adjacency("2147483646 2147483646", "f")),
            (Pairs{{2147483646, 2147483646}}));
}

TEST(ParseAdjacency, ReadsTheSameInAnyChunks) {
  std::mt19937 random(5);
  std::string text;
  Pairs expected;
  for (NodeId user = 0; user < 300; ++user) {
    text += std::to_string(user);
    const std::size_t degree = random() % 5;
    for (std::size_t k = 0; k < degree; ++k) {
      const auto item = static_cast<NodeId>(random() % 1'000'000);
      text.append(" ").append(std::to_string(item));
      expected.emplace_back(user, item);
    }
    text += random() % 3 == 0 ? "\r\n" : "\n";
    if (user % 30 == 29) text += "\n";
  }
  for (const std::size_t chunk : {1, 2, 7, 100, 1'000'000}) {
    const AdjacencyList list = parse_adjacency(text, "f", chunk);
    EXPECT_EQ(pairs_of(list), expected);
    EXPECT_EQ(list.users.size(), 300u);
    EXPECT_EQ(list.blank_lines, 10);
  }
}

TEST(ParseAdjacency, SaysWhatIsWrongAndWhere) {
  const auto message = [](std::string_view text) {
    return data_complaint([&] { parse_adjacency(text, "train.txt"); });
  };
  EXPECT_THAT(message("0 1\nabc 1\n"),
              AllOf(StartsWith("train.txt:2: user id \"abc\" is not a number"),
                    HasSubstr("expected an integer id"),
                    HasSubstr("other ids need a table (data.format = table)")));
  EXPECT_THAT(message("0 1\n\n1 2,3\n"), StartsWith("train.txt:3: item id \"2,3\" is not a"));
  EXPECT_THAT(message("0 -4\n"), StartsWith("train.txt:1: item id \"-4\" is negative"));
  EXPECT_THAT(message("0 1.5\n"), HasSubstr("\"1.5\" is not a number"));
  EXPECT_THAT(message("0 1000000000000000000\n"),
              AllOf(StartsWith("train.txt:1: item id \"1000000000000000000\" is too large"),
                    HasSubstr("expected ids below 2147483647")));
  EXPECT_THAT(message("0 2147483647"), HasSubstr("too large"));
  EXPECT_THAT(message("99999999999999999999999999 1"), HasSubstr("user id \"999"));
  EXPECT_THAT(message(std::string_view("0 1\n1 \0 2\n", 10)),
              AllOf(StartsWith("train.txt:2:"), HasSubstr("NUL byte")));
  EXPECT_THAT(message(std::string_view("0 1\n1 2\0\n", 9)), HasSubstr("\"2\\x00\" has a NUL byte"));
  EXPECT_THAT(message("0 1\r2 3\n"), HasSubstr("\"1\\x0D2\" is not a number"));
  EXPECT_THAT(message("0 -\n"), HasSubstr("\"-\" is not a number"));
}

TEST(ParseAdjacency, TakesLinesOfTenMegabytes) {
  std::string line = "0";
  while (line.size() < 10'000'000) line += " 7";
  EXPECT_EQ(parse_adjacency(line, "f").pairs.size(), (line.size() - 1) / 2);
  const std::string garbage = "0 1\n" + std::string(10'000'000, 'x') + "\n1 2\n";
  const std::string message = data_complaint([&] { parse_adjacency(garbage, "f"); });
  EXPECT_THAT(message, AllOf(StartsWith("f:2:"), HasSubstr("the first of 10000000 bytes")));
  EXPECT_LT(message.size(), 300u);
  const std::string digits = "0 1\n1 " + std::string(10'000'000, '9');
  EXPECT_THAT(data_complaint([&] { parse_adjacency(digits, "f"); }), HasSubstr("f:2:"));
}

TEST(ParseAdjacency, ReportsTheFirstErrorInFileOrderInAnyChunks) {
  std::string text;
  for (int line = 1; line <= 2000; ++line) text += line % 500 == 123 ? "1 x\n" : "1 2 3\n";
  for (const std::size_t chunk : {1, 10, 999, 1'000'000}) {
    for (int repeat = 0; repeat < 5; ++repeat) {
      EXPECT_THAT(data_complaint([&] { parse_adjacency(text, "f", chunk); }), StartsWith("f:123:"));
    }
  }
}

IdNumbering number(const std::vector<NodeId>& ids) {
  return IdNumbering(static_cast<std::int64_t>(ids.size()), [&](const auto& use) {
    for (const NodeId id : ids) use(id);
  });
}

TEST(IdNumbering, UsesDenseIdsAsTheyAre) {
  const IdNumbering ids = number({5, 0, 900, 5});
  EXPECT_TRUE(ids.direct());
  EXPECT_EQ(ids.size(), 901);
  EXPECT_EQ(ids.unused(), 898);
  EXPECT_EQ(ids(900), 900);
  EXPECT_TRUE(ids.names().is_numbered());
}

TEST(IdNumbering, NumbersSparseIdsInAscendingOrder) {
  // Near ids are counted by marks, far ids by sorting.
  for (const NodeId far : {7000, 2'147'483'646}) {
    const IdNumbering ids = number({far, 3, 5000, 3});
    EXPECT_FALSE(ids.direct());
    EXPECT_EQ(ids.size(), 3);
    EXPECT_EQ(ids.unused(), 0);
    EXPECT_EQ(ids(3), 0);
    EXPECT_EQ(ids(5000), 1);
    EXPECT_EQ(ids(far), 2);
    EXPECT_EQ(ids.names().name(2), std::to_string(far));
  }
}

TEST(IdNumbering, TakesIdsUpToTwiceTheirNumberAndAThousandAsTheyAre) {
  std::vector<NodeId> ids(1000);
  std::iota(ids.begin(), ids.end(), 0);
  ids.back() = 2999;
  EXPECT_TRUE(number(ids).direct());
  ids.back() = 3000;
  EXPECT_FALSE(number(ids).direct());
}

TEST(IdNumbering, NeverSizesAnArrayByAnId) {
  // 2³¹ marks would take 2 GiB, and the names of all numbers even more.
  const IdNumbering ids = number({2'147'483'646});
  EXPECT_EQ(ids.size(), 1);
  EXPECT_EQ(ids.names().size(), 1);
  EXPECT_EQ(number({}).size(), 0);
}

}  // namespace
}  // namespace tern
