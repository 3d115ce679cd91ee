// Texts that are read in blocks: the same rows, lines and errors as of a text in memory, and memory for one
// block and for the result alone.

#include "host/data/text_blocks.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <random>

#include "host/data/adjacency.hpp"
#include "host/data/compression.hpp"
#include "host/data/interaction_table.hpp"
#include "tern/dataset.hpp"
#include "tests/data/data_files.hpp"

namespace tern {
namespace {

using testing::data_complaint;
using testing::gzip;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using testing::TemporaryDirectory;
using testing::zstd;

/// Gives a few bytes at a time, as a pipe may.
class SlowStream : public ByteStream {
 public:
  SlowStream(std::string_view bytes, std::size_t at_once) : bytes_(bytes), at_once_(at_once) {}
  std::size_t read(char* to, std::size_t most) override {
    return bytes_.read(to, std::min(most, at_once_));
  }

 private:
  MemoryStream bytes_;
  std::size_t at_once_;
};

TextBlocks blocks_of(std::string_view text, std::size_t row_bytes = TextBlocks::kBytes,
                     TextEncoding encoding = TextEncoding::kUtf8) {
  return {std::make_unique<MemoryStream>(text), "f", encoding, row_bytes};
}

/// About `bytes` bytes of lines "n n+1".
std::string numbered_lines(std::size_t bytes) {
  std::string text;
  for (std::int64_t line = 0; text.size() < bytes; ++line) {
    text.append(std::to_string(line)).append(" ").append(std::to_string(line + 1)).append("\n");
  }
  return text;
}

TEST(TextBlocks, GiveEveryRowOnce) {
  const std::string text = "a,b\n\n\"c\nd\",\"e\"\"f\n\"\r\ng,h\n\"i\",\"\n\n\"";
  for (const std::size_t row_bytes : {1, 2, 3, 5, 8, 13, 100}) {
    for (const Quotes quotes : {Quotes::kNone, Quotes::kDouble}) {
      TextBlocks blocks = blocks_of(text, row_bytes);
      std::string joined;
      for (std::string_view rows; !(rows = blocks.rows(quotes)).empty();
           blocks.advance(rows.size())) {
        joined += rows;
        if (joined.size() == text.size()) break;
        EXPECT_EQ(joined.back(), '\n');
        const bool whole = std::count(joined.begin(), joined.end(), '"') % 2 == 0;
        EXPECT_TRUE(whole || quotes == Quotes::kNone) << joined;
        EXPECT_EQ(blocks.line_of(rows.data() + rows.size()),
                  1 + std::count(joined.begin(), joined.end(), '\n'));
      }
      EXPECT_EQ(joined, text) << row_bytes;
    }
  }
}

TEST(TextBlocks, DoNotDependOnTheBytesThatAStreamGives) {
  const std::string text = "\xEF\xBB\xBF" + numbered_lines(70'000);
  for (const std::size_t at_once : {1, 1000, 65'536, 1'000'000}) {
    TextBlocks blocks(std::make_unique<SlowStream>(text, at_once), "f");
    EXPECT_EQ(blocks.head(), std::string_view(text).substr(3));
    EXPECT_TRUE(blocks.at_end());
  }
}

TEST(TextBlocks, ErrorsNameTheLineInAnyBlock) {
  const std::string good = numbered_lines(3 * TextBlocks::kBytes);
  const auto line = std::count(good.begin(), good.end(), '\n') + 1;
  const std::string place = "f:" + std::to_string(line) + ": ";
  EXPECT_THAT(data_complaint([&] { parse_adjacency(good + "1 x\n2 y\n", "f"); }),
              StartsWith(place + "item id \"x\""));
  std::string table = good;
  std::replace(table.begin(), table.end(), ' ', '\t');
  Vocabulary users;
  Vocabulary items;
  EXPECT_THAT(data_complaint([&] {
                parse_interactions(table + "a\n", "f", TableFormat::kTsv, {}, users, items);
              }),
              StartsWith(place + "found 1 columns"));
  EXPECT_THAT(data_complaint([&] {
                Vocabulary one;
                Vocabulary other;
                parse_interactions(table + "a\t\xFF\n" + table, "f", TableFormat::kTsv, {}, one,
                                   other);
              }),
              StartsWith(place + "an id is not UTF-8; such ids in the file: 1,"));
}

TEST(TextBlocks, ALineMayBeLongerThanABlock) {
  std::string line = "7";
  while (line.size() < 2 * TextBlocks::kBytes) line += " 123456789";
  const AdjacencyList list = parse_adjacency("1 2\n" + line + "\n3 4\n", "f");
  EXPECT_EQ(list.users.size(), 3u);
  EXPECT_EQ(list.pairs.size(), 2 + (line.size() - 1) / 10);
  // As the first line too, which the head has to hold.
  EXPECT_EQ(parse_adjacency(line + "\n3 4\n", "f").pairs.size(), 1 + (line.size() - 1) / 10);
}

TEST(TextBlocks, CommentsMayBeLongerThanABlock) {
  std::string text;
  std::int64_t comments = 0;
  for (; text.size() < 2 * TextBlocks::kBytes; ++comments) text += "# a comment of some length\n";
  text += "1 2\n";
  TextBlocks blocks = blocks_of(text);
  EXPECT_EQ(blocks.blank_out_comments(), comments);
  const AdjacencyList list = parse_adjacency(blocks);
  EXPECT_EQ(list.pairs.size(), 1u);
  EXPECT_EQ(list.blank_lines, comments);
  TextBlocks nothing = blocks_of("# only\n# comments\n");
  EXPECT_THAT(data_complaint([&] { nothing.blank_out_comments(); }), HasSubstr("blank lines"));
}

TEST(TextBlocks, DecodeLatin1InEveryBlock) {
  std::string text;
  while (text.size() < 2 * TextBlocks::kBytes) text += "caf\xE9\tx\n";
  TextBlocks blocks = blocks_of(text, TextBlocks::kBytes, TextEncoding::kLatin1);
  EXPECT_FALSE(blocks.was_utf8());
  Vocabulary users;
  Vocabulary items;
  const InteractionTable table = parse_interactions(blocks, TableFormat::kTsv, {}, users, items);
  EXPECT_EQ(table.pairs.size(), text.size() / 7);
  ASSERT_EQ(users.size(), 1);
  EXPECT_EQ(users.name(0), "caf\xC3\xA9");
  EXPECT_TRUE(blocks_of("caf\xC3\xA9\tx\n", TextBlocks::kBytes, TextEncoding::kLatin1).was_utf8());
}

TEST(TextBlocks, CompressedFilesAreReadInBlocksToo) {
  const std::string text = numbered_lines(2 * TextBlocks::kBytes);
  const AdjacencyList expected = parse_adjacency(text, "f");
  const TemporaryDirectory directory;
  for (const std::string& bytes : {text, gzip(text), zstd(text)}) {
    TextBlocks blocks(open_file(directory.write("list", bytes), 1 << 30), "list");
    const AdjacencyList list = parse_adjacency(blocks);
    EXPECT_TRUE(list.pairs == expected.pairs && list.users == expected.users);
  }
}

/// Memory of this process, in bytes: what it has now, or at most had since forget_peak().
std::int64_t memory_of(const std::string& key) {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word) {
    std::int64_t kib = 0;
    if (word == key && status >> kib) return 1024 * kib;
  }
  throw Error("no " + key + " in /proc/self/status");
}

void forget_peak() {
  std::ofstream("/proc/self/clear_refs") << "5";
}

/// The text takes 100 bytes a row, the result 8: neither the text nor a second copy of the result fits
/// beside it.
TEST(TextBlocks, ReadingTakesLittleMoreThanIsKept) {
  constexpr std::int64_t kRows = 3'000'000;
  const TemporaryDirectory directory;
  const std::filesystem::path file = directory / "rows.tsv";
  {
    const std::string rest = "\t" + std::string(86, 'x') + "\n";
    std::ofstream out(file, std::ios::binary);
    for (std::int64_t row = 0; row < kRows; ++row) {
      out << row % 1009 << '\t' << row % 9973 << rest;
    }
  }
  Vocabulary users;
  Vocabulary items;
  const std::int64_t before = memory_of("VmRSS:");
  forget_peak();
  TextBlocks blocks(open_file(file, std::int64_t{1} << 40), "rows.tsv");
  const InteractionTable table = parse_interactions(blocks, TableFormat::kTsv, {}, users, items);
  const std::int64_t peak = memory_of("VmHWM:") - before;
  ASSERT_EQ(table.pairs.size(), static_cast<std::size_t>(kRows));
  constexpr std::int64_t kKept = 8 * kRows;
  constexpr std::int64_t kBlocks = 3 * TextBlocks::kBytes;  // the text, and the pairs of its chunks
  EXPECT_LT(peak, kKept + kKept / 4 + kBlocks);
}

}  // namespace
}  // namespace tern
