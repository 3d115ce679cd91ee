// Features in .npz files: files that NumPy and SciPy wrote, and damaged or hostile ones.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <variant>
#include <vector>

#include "host/data/features.hpp"
#include "host/data/npz.hpp"
#include "tern/tensor_file.hpp"
#include "tests/data/data_files.hpp"
#include "tests/data/zip_files.hpp"

namespace tern {
namespace {

using ::testing::AllOf;
using testing::data_complaint;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using testing::TemporaryDirectory;
using testing::zip;
using testing::ZipMember;
namespace fs = std::filesystem;

/// Items 3, 0 and 1 are the nodes.
Features read_features_of(const fs::path& file, const DataOptions& options = {}) {
  Vocabulary names;
  for (const char* name : {"3", "0", "1"}) names.add(name);
  std::vector<std::string> notes;
  return read_features({file, SourceFormat::kNpz}, {Side::kItem, names, find_id_numbers(names), {}},
                       options, notes);
}

fs::path given(const char* name) {
  return fs::path(TERN_TEST_DATA) / "npz" / name;
}

TEST(Npz, ReadsWhatSciPyWrites) {
  for (const char* name : {"csr.npz", "csr_stored.npz", "csr_array.npz", "csc.npz", "coo.npz"}) {
    const Features features = read_features_of(given(name));
    EXPECT_THAT(features.values, ElementsAre(0, 0, -3, 0, 1.5F, 0, 2, 0, 0)) << name;
    EXPECT_EQ(features.width(), 3) << name;
  }
  EXPECT_THAT(data_complaint([] { read_features_of(given("bsr.npz")); }),
              AllOf(StartsWith(given("bsr.npz").string()), HasSubstr("save it as CSR"),
                    HasSubstr("matrix.tocsr()")));
}

TEST(Npz, ReadsWhatNumPyWrites) {
  for (const char* name : {"dense.npz", "dense_compressed.npz"}) {
    EXPECT_THAT(read_features_of(given(name)).values, ElementsAre(6, 7, 0, 1, 2, 3)) << name;
  }
  EXPECT_THAT(data_complaint([] { read_features_of(given("two.npz")); }),
              AllOf(StartsWith(given("two.npz").string()),
                    HasSubstr("found 2 arrays (a.npy, b.npy), expected one")));
}

TEST(Npz, BelongsToADirectory) {
  const TemporaryDirectory directory;
  directory.write("interactions.csv", "user,item\na,3\na,0\nb,1\nb,0\n");
  fs::copy(given("csr.npz"), directory / "item_features.npz");
  EXPECT_THAT(load_dataset(directory.path()).item_features->values,
              ElementsAre(0, 0, -3, 0, 1.5F, 0, 2, 0, 0));
}

std::string npy_bytes(const Tensor& tensor) {
  const TemporaryDirectory directory;
  write_npy(directory / "a.npy", tensor);
  return testing::read_bytes(directory / "a.npy");
}

/// Members of a sparse matrix. Its format is an array of type S3 without dimensions.
std::vector<ZipMember> csr(const std::vector<std::int32_t>& indices,
                           const std::vector<std::int32_t>& offsets,
                           const std::vector<std::int64_t>& shape,
                           const std::vector<double>& values) {
  const auto size = [](const auto& list) { return static_cast<std::int64_t>(list.size()); };
  return {{"indices.npy", npy_bytes({{size(indices)}, indices})},
          {"indptr.npy", npy_bytes({{size(offsets)}, offsets})},
          {"format.npy", "some header\ncsr"},
          {"shape.npy", npy_bytes({{size(shape)}, shape})},
          {"data.npy", npy_bytes({{size(values)}, values})}};
}

class DamagedNpz : public ::testing::Test {
 protected:
  std::string message(const std::string& bytes, std::int64_t max_bytes = 1 << 20) {
    const fs::path file = directory_.write("a.npz", bytes);
    const std::string text = data_complaint([&] { read_npz(file, max_bytes); });
    EXPECT_THAT(text, StartsWith(file.string()));
    return text;
  }
  std::string message(const std::vector<ZipMember>& members) { return message(zip(members)); }

  TemporaryDirectory directory_;
};

TEST_F(DamagedNpz, IsWrittenRightByTheTest) {
  const fs::path file =
      directory_.write("a.npz", zip(csr({1, 1, 0}, {0, 2, 3}, {2, 2}, {1, 2, 3})));
  const auto matrix = std::get<SparseElements>(read_npz(file, 1 << 20));
  EXPECT_THAT(matrix.rows, ElementsAre(0, 0, 1));
  EXPECT_THAT(matrix.columns, ElementsAre(1, 1, 0));
  EXPECT_THAT(matrix.values, ElementsAre(1, 2, 3));
}

TEST_F(DamagedNpz, NamesWhatDoesNotFitTheShape) {
  EXPECT_THAT(message(csr({1, 2}, {0, 1, 2}, {2, 2}, {1, 2})),
              HasSubstr("row 1: found the column 2, expected 0 to 1"));
  EXPECT_THAT(message(csr({1, -1}, {0, 1, 2}, {2, 2}, {1, 2})),
              HasSubstr("row 1: found the column -1, expected 0 to 1"));
  EXPECT_THAT(message(csr({1, 0}, {0, 2}, {2, 2}, {1, 2})),
              HasSubstr("indptr does not fit the shape: found 2 offsets, expected 3"));
  EXPECT_THAT(message(csr({1, 0}, {0, 1, 3}, {2, 2}, {1, 2})), HasSubstr("from 0 to the 2"));
  EXPECT_THAT(message(csr({1, 0}, {0, 5, 1, 2}, {3, 2}, {1, 2})),
              HasSubstr("row 0: found the offset 5 after 0"));
  EXPECT_THAT(message(csr({1, 0}, {0, 2, 1, 2}, {3, 2}, {1, 2})),
              HasSubstr("row 1: found the offset 1 after 2"));
  EXPECT_THAT(message(csr({1, 0}, {0, 1, 2}, {2, 2}, {1, 2, 3})), HasSubstr("found 3 values"));
  EXPECT_THAT(message(csr({1, 0}, {0, 1, 2}, {2, 2, 2}, {1, 2})), HasSubstr("shape [2, 2, 2]"));
  EXPECT_THAT(message(csr({1, 0}, {0, 1, 2}, {2, 1LL << 40}, {1, 2})), HasSubstr("below 2^31"));
  std::vector<ZipMember> members = csr({1, 0}, {0, 1, 2}, {2, 2}, {1, 2});
  members[0].bytes = npy_bytes({{2}, std::vector<float>{1, 0}});
  EXPECT_THAT(message(members), HasSubstr("indices.npy has no integers"));
  members.erase(members.begin());
  EXPECT_THAT(message(members), HasSubstr("no member \"indices.npy\""));
}

TEST_F(DamagedNpz, RefusesDamagedArchives) {
  const std::string array = npy_bytes({{2}, std::vector<double>{1, 2}});
  const std::string whole = zip({{"a.npy", array}});
  EXPECT_THAT(message(std::string("no archive at all")), HasSubstr("no end record of a zip"));
  EXPECT_THAT(message(whole.substr(0, whole.size() / 2)), HasSubstr("no end record of a zip"));
  EXPECT_THAT(message(whole.substr(40)), HasSubstr("expected NumPy's .npz"));
  EXPECT_THAT(message({{"a.npy", array, 0}, {"a.npy", array, 0}}), HasSubstr("\"a.npy\" twice"));
  EXPECT_THAT(message({{"a.npy", array, 12}}), HasSubstr("compressed by method 12"));
  EXPECT_THAT(message({{"a.npy", array, 8, 1}}), HasSubstr("\"a.npy\" encrypted"));
  EXPECT_THAT(message({{"a.npy", array, 8, 0, 100}}), HasSubstr("\"a.npy\" damaged"));
  EXPECT_THAT(message({{"a.npy", array, 0, 0, 100}}), HasSubstr("which cannot come from 144"));
  // A changed byte in the member's values.
  std::string stored = zip({{"a.npy", array, 0}});
  stored[stored.find("PK\x01\x02") - 1] ^= 1;
  EXPECT_THAT(message(stored), HasSubstr("\"a.npy\" damaged"));
  EXPECT_THAT(message({{"a.npy", "no array"}}), HasSubstr("a.npz (a.npy): the file is too short"));
}

TEST_F(DamagedNpz, BoundsWhatGrows) {
  const std::string zeros(1 << 20, '\0');
  // A thousandth of its size as a file.
  const std::string bomb = zip({{"a.npy", zeros}});
  ASSERT_LT(bomb.size(), 2000);
  EXPECT_THAT(message(bomb, 100'000),
              HasSubstr("\"a.npy\" has 1048576 bytes, but only 100000 are left of data.max_bytes"));
  EXPECT_THAT(message({{"a.npy", "x", 8, 0, 4'000'000'000}}), HasSubstr("which cannot come from"));
  // Members share the limit.
  const std::vector<ZipMember> members =
      csr(std::vector<std::int32_t>(1000, 0), {0, 1000}, {1, 2}, std::vector<double>(1000, 1.0));
  std::int64_t bytes = 0;
  for (const ZipMember& member : members) bytes += static_cast<std::int64_t>(member.bytes.size());
  ASSERT_LT(static_cast<std::int64_t>(zip(members).size()), bytes / 4);
  read_npz(directory_.write("a.npz", zip(members)), bytes);
  EXPECT_THAT(message(zip(members), bytes - 1), HasSubstr("are left of data.max_bytes"));
  EXPECT_THAT(message(zip(members), 500), HasSubstr("the file is longer than 500 bytes"));
}

TEST_F(DamagedNpz, NoChangedByteBreaksTheReader) {
  const std::string whole = zip(csr({1, 0}, {0, 1, 2}, {2, 2}, {1, 2}));
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const int change : {1, 0x80}) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ change);
      const fs::path file = directory_.write("a.npz", changed);
      try {
        read_npz(file, 1 << 20);
      } catch (const DataError&) {
      }
    }
  }
}

}  // namespace
}  // namespace tern
