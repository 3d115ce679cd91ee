#include "host/support/file_bytes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <random>
#include <thread>

#include "host/data/compression.hpp"
#include "tests/data/data_files.hpp"

namespace tern {
namespace {

using ::testing::AllOf;
using testing::data_complaint;
using testing::gzip;
using ::testing::HasSubstr;
using testing::TemporaryDirectory;
using testing::zstd;

constexpr std::int64_t kPlenty = std::int64_t{1} << 30;

std::string load(const std::filesystem::path& path, std::int64_t max_bytes = kPlenty) {
  return std::string(read_file(path, max_bytes).view());
}

/// Random bytes: compressed files of them have many blocks.
std::string noise(std::size_t size) {
  std::mt19937 random(3);
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random() >> 24);
  return "7" + bytes;  // never the magic bytes of a format
}

TEST(ReadFile, ReadsPlainFiles) {
  const TemporaryDirectory directory;
  for (const std::size_t size : {0, 1, 4094, 4095, 4096, 4097, 1'000'000}) {
    const std::string bytes = noise(size);
    EXPECT_EQ(load(directory.write("plain", bytes)), bytes) << size;
  }
  EXPECT_EQ(load(directory.write("empty", "")), "");
}

TEST(ReadFile, ReadsWhatHasNoSizeBeforehand) {
  const TemporaryDirectory directory;
  const std::filesystem::path pipe = directory / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const std::string bytes = noise(300'000);
  std::thread writer([&] { std::ofstream(pipe, std::ios::binary) << bytes; });
  EXPECT_EQ(load(pipe), bytes);
  writer.join();
}

TEST(ReadFile, DecompressesByContentNotByName) {
  const TemporaryDirectory directory;
  for (const std::size_t size : {0, 10, 70'000, 3'000'000}) {
    const std::string bytes = noise(size);
    EXPECT_EQ(load(directory.write("a.txt", gzip(bytes))), bytes);
    EXPECT_EQ(load(directory.write("b.gz", zstd(bytes))), bytes);
    EXPECT_EQ(load(directory.write("c.zst", bytes)), bytes);
  }
  EXPECT_EQ(load(directory.write("nothing.gz", gzip(""))), "");
  EXPECT_EQ(load(directory.write("nothing.zst", zstd(""))), "");
}

TEST(ReadFile, JoinsMembersAndFrames) {
  const TemporaryDirectory directory;
  const std::string first = noise(100'000);
  EXPECT_EQ(load(directory.write("a", gzip(first) + gzip("") + gzip("second"))), first + "second");
  EXPECT_EQ(load(directory.write("b", zstd(first) + zstd("") + zstd("second"))), first + "second");
  // Padding of tapes, and skippable frames.
  EXPECT_EQ(load(directory.write("c", gzip("first") + std::string(700, '\0'))), "first");
  const std::string skippable("\x50\x2A\x4D\x18\x03\x00\x00\x00xyz", 11);
  EXPECT_EQ(load(directory.write("d", skippable + zstd("first") + skippable)), "first");
}

TEST(Decompress, FindsEveryCut) {
  const std::string member = gzip("a");
  for (const std::string& whole : {gzip(noise(500)), zstd(noise(500)), member + gzip(noise(9))}) {
    const Compression compression = detect_compression(whole);
    for (std::size_t size = 4; size < whole.size(); ++size) {
      // Not cut short: a whole member, perhaps with one byte that could be padding.
      if (whole.starts_with(member) && (size == member.size() || size == member.size() + 1))
        continue;
      ASSERT_THAT(data_complaint([&] {
                    ByteLimit limit("cut", 1 << 20);
                    decompress(compression, whole.substr(0, size), limit, "cut");
                  }),
                  AllOf(HasSubstr("cut: the "), HasSubstr("cut short")))
          << size << " of " << whole.size();
    }
  }
}

TEST(ReadFile, FindsDamage) {
  const TemporaryDirectory directory;
  const std::string bytes(5000, 'x');
  std::string damaged = gzip(bytes);
  damaged[damaged.size() - 6] = static_cast<char>(damaged[damaged.size() - 6] ^ 1);  // checksum
  EXPECT_THAT(data_complaint([&] { load(directory.write("a.gz", damaged)); }),
              HasSubstr("a.gz: the gzip data is damaged"));
  damaged = gzip(noise(5000));
  for (std::size_t i = 0; i < 20; ++i) damaged[1000 + i] = '\xFF';
  EXPECT_THAT(data_complaint([&] { load(directory.write("b.gz", damaged)); }),
              HasSubstr("b.gz: the gzip data is "));
  damaged = zstd(bytes);
  damaged[5] = static_cast<char>(damaged[5] ^ 0x7F);
  EXPECT_THAT(data_complaint([&] { load(directory.write("c.zst", damaged)); }),
              HasSubstr("c.zst: the zstd data is "));
  EXPECT_THAT(data_complaint([&] { load(directory.write("d", gzip("a") + "more")); }),
              HasSubstr("4 bytes that are not gzip follow"));
  EXPECT_THAT(data_complaint([&] { load(directory.write("e", zstd("a") + "more text")); }),
              HasSubstr("damaged"));
}

TEST(ReadFile, StopsDecompressionBombs) {
  const TemporaryDirectory directory;
  const std::string zeros(20'000'000, '0');
  for (const std::string& bomb : {gzip(zeros), zstd(zeros)}) {
    const std::filesystem::path file = directory.write("bomb", bomb);
    EXPECT_THAT(data_complaint([&] { load(file, 1'000'000); }),
                HasSubstr("longer than 1000000 bytes"));
    EXPECT_THAT(data_complaint([&] { load(file, 19'999'999); }), HasSubstr("longer than"));
    EXPECT_EQ(load(file, 20'000'000).size(), zeros.size());
  }
  const std::filesystem::path plain = directory.write("plain", "12345");
  EXPECT_EQ(load(plain, 5), "12345");
  EXPECT_THAT(data_complaint([&] { load(plain, 4); }), HasSubstr("longer than 4 bytes"));
}

TEST(ReadFile, TakesIdsThatBeginLikeBzip2) {
  const TemporaryDirectory directory;
  EXPECT_EQ(load(directory.write("a", "BZh")), "BZh");
  EXPECT_EQ(load(directory.write("a", "BZhang\tx\n")), "BZhang\tx\n");
  EXPECT_THAT(data_complaint([&] { load(directory.write("a", "BZh91AY&SY\x14")); }),
              HasSubstr("expected plain text, gzip or zstd"));
}

TEST(ReadFile, SaysWhatIsNoDataFile) {
  const TemporaryDirectory directory;
  EXPECT_THAT(data_complaint([&] { load(directory / "absent.txt"); }),
              HasSubstr("absent.txt: the file cannot be opened: No such file or directory"));
  EXPECT_THAT(data_complaint([&] { load(directory.path()); }), HasSubstr("found a directory"));
  EXPECT_THAT(
      data_complaint([&] { load(directory.write("a.xz", std::string("\xFD\x37zXZ\0", 6))); }),
      HasSubstr("expected plain text, gzip or zstd"));
}

}  // namespace
}  // namespace tern
