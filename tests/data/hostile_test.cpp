// Malicious data: endless streams, files that grow without bound or hide their size, and ids that
// look like something else. Each is refused with the name of the limit, or read correctly.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <thread>

#include "host/data/adjacency.hpp"
#include "host/data/interaction_table.hpp"
#include "tern/dataset.hpp"
#include "tern/tensor_file.hpp"
#include "tests/data/data_files.hpp"

namespace tern {
namespace {

using ::testing::AllOf;
using testing::data_complaint;
using testing::gzip;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using testing::TemporaryDirectory;
using testing::zstd;

/// The peak memory of this process so far, in bytes.
std::int64_t peak_memory() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return std::int64_t{1024} * usage.ru_maxrss;
}

void append_number(std::string& text, std::int64_t number) {
  char digits[20];
  text.append(digits, std::to_chars(digits, digits + sizeof(digits), number).ptr);
}

/// A pipe into which a thread writes rows until its reader stops.
class EndlessTable {
 public:
  explicit EndlessTable(const std::filesystem::path& path) : path_(path) {
    ::signal(SIGPIPE, SIG_IGN);
    if (::mkfifo(path.c_str(), 0600) != 0) throw Error("no room for a pipe");
    writer_ = std::thread([this] { write(); });
  }
  ~EndlessTable() { writer_.join(); }
  EndlessTable(const EndlessTable&) = delete;
  EndlessTable& operator=(const EndlessTable&) = delete;

  std::int64_t written() const { return written_; }

 private:
  void write() {
    std::ofstream pipe(path_, std::ios::binary);
    std::string rows;
    for (std::int64_t id = 0; pipe; written_ += static_cast<std::int64_t>(rows.size())) {
      rows.clear();
      for (int i = 0; i < 4096; ++i, id = (id + 1) % 100'000) {
        append_number(rows, id);
        rows += "u\t";
        append_number(rows, id);
        rows += "i\n";
      }
      pipe << rows;
    }
  }

  std::filesystem::path path_;
  std::atomic<std::int64_t> written_ = 0;
  std::thread writer_;
};

TEST(Hostile, ALineOfTenMillionItems) {
  constexpr std::int64_t kItems = 10'000'000;
  const TemporaryDirectory directory;
  std::string line = "0";
  line.reserve(std::size_t{90'000'000});
  for (std::int64_t item = 0; item < kItems; ++item) {
    line += ' ';
    append_number(line, item);
  }
  const std::filesystem::path file = directory.write("train.txt", line + "\n1 7\n");
  line = {};
  const Dataset data = load_dataset(file);
  EXPECT_EQ(data.users.size(), 2);
  EXPECT_EQ(data.items.size(), kItems);
  EXPECT_EQ(data.train.size() + data.valid.size() + data.test.size(), kItems + 1);
}

TEST(Hostile, AStreamWithoutEndIsLeftAtTheLimit) {
  const TemporaryDirectory directory;
  EndlessTable table(directory / "ids.tsv");
  DataOptions options;
  options.max_bytes = 20'000'000;
  [[maybe_unused]] const std::int64_t before = peak_memory();
  EXPECT_THAT(data_complaint([&] { load_dataset(directory / "ids.tsv", options); }),
              HasSubstr("the file is longer than 20000000 bytes, the most that data.max_bytes"));
  // At most the pipe's buffer and one block of rows were written beyond the limit.
  EXPECT_LT(table.written(), options.max_bytes + 1'000'000);
  // The rows are parsed as they come: their ids and pairs stay, but not their text. (AddressSanitizer holds
  // back what is freed.)
#ifndef __SANITIZE_ADDRESS__
  EXPECT_LT(peak_memory() - before, std::int64_t{80'000'000});
#endif
}

/// Rows of two new ids each.
std::string distinct_rows(std::int64_t rows) {
  std::string text;
  for (std::int64_t id = 0; id < rows; ++id) {
    append_number(text, id);
    text += "u\t";
    append_number(text, id);
    text += "i\n";
  }
  return text;
}

TEST(Hostile, MoreDistinctIdsThanAreAllowed) {
  const TemporaryDirectory directory;
  const std::filesystem::path file = directory.write("ids.tsv", distinct_rows(200'000));
  DataOptions options;
  options.max_nodes = 1000;
  EXPECT_THAT(data_complaint([&] { load_dataset(file, options); }),
              AllOf(StartsWith(file.string() + ": "),
                    HasSubstr(": more users than data.max_nodes = 1000 allows")));
  options.max_nodes = 199'999;  // found only when the chunks are joined
  EXPECT_THAT(data_complaint([&] { load_dataset(file, options); }),
              HasSubstr("than data.max_nodes = 199999 allows"));
  options.max_nodes = 200'000;
  EXPECT_EQ(load_dataset(file, options).users.size(), 200'000);
}

TEST(Hostile, MoreThanTheMemoryThatIsFree) {
  const std::string rows = distinct_rows(50'000);
  const auto read_table = [&](std::int64_t memory) {
    Vocabulary users;
    Vocabulary items;
    return parse_interactions(rows, "ids.tsv", TableFormat::kTsv, {}, users, items, 10'000, memory)
        .pairs.size();
  };
  // 50,000 pairs of 24 bytes; twice as many names, each 96 bytes and three times its length.
  EXPECT_EQ(read_table(14'000'000), 50'000u);
  EXPECT_THAT(data_complaint([&] { read_table(10'000'000); }),
              HasSubstr("ids.tsv: reading takes more memory than the 10000000 bytes that are "
                        "free: too many interactions or distinct ids"));
  std::string list;
  for (int i = 0; i < 300'000; ++i) list += i % 7 == 0 ? " 1\n0" : " 1";
  list = "0" + list + "\n";
  EXPECT_EQ(parse_adjacency(list, "list.txt", 10'000, 15'000'000).pairs.size(), 300'000u);
  EXPECT_THAT(data_complaint([&] { parse_adjacency(list, "list.txt", 10'000, 4'000'000); }),
              HasSubstr("list.txt: reading takes more memory than the 4000000 bytes"));
  // A single line is limited too.
  std::string line;
  for (int i = 0; i < 300'000; ++i) line += "0 ";
  EXPECT_THAT(data_complaint([&] { parse_adjacency(line, "line.txt", 10'000'000, 4'000'000); }),
              HasSubstr("line.txt: reading takes more memory"));
}

TEST(Hostile, BombsNameTheOption) {
  const TemporaryDirectory directory;
  // 200 MB of zeros, compressed to 200 KB or to 20 KB.
  const std::string zeros(200'000'000, '0');
  const std::string gz = gzip(zeros);
  const std::string zst = zstd(zeros);
  EXPECT_LT(gz.size(), 300'000u);
  EXPECT_LT(zst.size(), 50'000u);
  const std::int64_t before = peak_memory();
  DataOptions options;
  options.max_bytes = 10'000'000;
  for (const std::string& bomb : {gz, zst}) {
    const std::filesystem::path file = directory.write("train.txt", bomb);
    EXPECT_THAT(data_complaint([&] { load_dataset(file, options); }),
                HasSubstr("the decompressed file is longer than 10000000 bytes, the most that "
                          "data.max_bytes allows"));
  }
  EXPECT_LT(peak_memory() - before, std::int64_t{100'000'000});
}

TEST(Hostile, FilesThatPretendToBeLarge) {
  const TemporaryDirectory directory;
  // A sparse file: eight terabytes that take no space on the disk.
  constexpr std::int64_t kLarge = std::int64_t{1} << 43;
  const std::filesystem::path list = directory.write("train.txt", "0 1\n");
  if (::truncate(list.c_str(), kLarge) != 0) GTEST_SKIP() << "no files with holes here";
  EXPECT_THAT(data_complaint([&] { load_dataset(list); }),
              AllOf(HasSubstr("the file is longer than"), HasSubstr("bytes, ")));
  const std::string header =
      "{'descr': '<f4', 'fortran_order': False, 'shape': (2199023255552,), }\n";
  std::string npy("\x93NUMPY\x01\x00", 8);
  npy += static_cast<char>(header.size());
  npy += '\0';
  npy += header;
  const std::filesystem::path array = directory.write("a.npy", npy);
  ASSERT_EQ(::truncate(array.c_str(), kLarge + static_cast<std::int64_t>(npy.size())), 0);
  EXPECT_THAT(data_complaint([&] { read_npy(array); }),
              HasSubstr("not enough memory: 8796093022208 bytes needed, "));
}

TEST(Hostile, NamesOfFeaturesAreCounted) {
  const TemporaryDirectory directory;
  directory.write("train.txt", "0 1\n1 0\n");
  // Each of 10,000 values becomes a column whose name begins with a megabyte.
  std::string table = "id\t" + std::string(1'000'000, 'n') + "\n0\t";
  for (int i = 0; i < 10'000; ++i) {
    append_number(table, i);
    table += "x|";
  }
  directory.write("user_features.tsv", table + "\n");
  DataOptions options;
  options.max_categories = 10'000;
  EXPECT_THAT(data_complaint([&] { load_dataset(directory.path(), options); }),
              HasSubstr("10000 columns wide and take 1e+10 bytes, more than "
                        "data.max_feature_bytes = 4294967296"));
}

TEST(Hostile, IdsThatLookLikeSomethingElse) {
  const std::vector<std::string> ids{"NaN",      "null",         "-",        "0",    "00",   "1e5",
                                     "\xC3\xA9", "\xC2\xA0",     " ",        "\"",   "true", "|",
                                     "user ",    "\xEF\xBB\xBF", "\x1B[31m", "BZh9", "#",    "\\N"};
  const TemporaryDirectory directory;
  std::string text = "user\titem\n";
  for (const std::string& id : ids) text += id + "\t" + id + "\n";
  text += std::string(65'535, 'x') + "\ty\n";
  const Dataset data = load_dataset(directory.write("ids.tsv", text));
  ASSERT_EQ(data.users.size(), static_cast<NodeId>(ids.size()) + 1);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ(data.users.name(static_cast<NodeId>(i)), ids[i]);
    EXPECT_EQ(data.items.find(ids[i]), static_cast<NodeId>(i));
  }
  data.users.write(directory / "users.tsv");
  const Vocabulary back = Vocabulary::read(directory / "users.tsv");
  for (NodeId id = 0; id < data.users.size(); ++id) EXPECT_EQ(back.name(id), data.users.name(id));
}

TEST(Hostile, IdsThatAreNone) {
  const TemporaryDirectory directory;
  const auto of_table = [&](const char* name, const std::string& text) {
    return data_complaint([&] { load_dataset(directory.write(name, text)); });
  };
  EXPECT_THAT(of_table("a.tsv", "user\titem\na\tx\n\ty\n"), HasSubstr(":3: user id is empty"));
  EXPECT_THAT(of_table("a.csv", "user,item\na,x\nb,\" \t \"\n"), HasSubstr(":3: item id"));
  EXPECT_THAT(of_table("a.csv", "user,item\na\tb,x\n"), HasSubstr("has a tab"));
  EXPECT_THAT(of_table("a.csv", "user,item\n\"a\nb\",x\n"), HasSubstr("or a line end"));
  EXPECT_THAT(of_table("a.tsv", "user\titem\n" + std::string(65'536, '\xFF') + "\tx\n"),
              AllOf(HasSubstr(":2: user id \"\\xFF\\xFF"), HasSubstr("at most 65535 bytes")));
  EXPECT_THAT(of_table("a.txt", "0 1 2\n1 NaN\n"), HasSubstr(": item id \"NaN\" is not a number"));
}

}  // namespace
}  // namespace tern
