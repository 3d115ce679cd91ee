// The bytes of faiss's index of rows. tests/python/test_export.py opens such files with faiss itself.

#include "host/data/faiss_index.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tern/error.hpp"
#include "tests/data/data_files.hpp"

namespace tern {
namespace {

using testing::read_bytes;
using testing::TemporaryDirectory;

std::string hex(std::string_view digits) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

TEST(FaissIndex, HasTheBytesOfAFlatIndex) {
  const TemporaryDirectory directory;
  const std::filesystem::path path = directory.path() / "rows.faiss";
  write_faiss_index(path, {{3, 2}, std::vector<float>{1.0F, 2.0F, -1.0F, 0.5F, 0.0F, -2.0F}});
  EXPECT_EQ(read_bytes(path), "IxFI" + hex("02000000"          // columns
                                           "0300000000000000"  // rows
                                           "0000100000000000"  // 2^20, twice
                                           "0000100000000000"
                                           "01"                // trained
                                           "00000000"          // the inner product
                                           "0600000000000000"  // values
                                           "0000803F"
                                           "00000040"
                                           "000080BF"
                                           "0000003F"
                                           "00000000"
                                           "000000C0"));
}

TEST(FaissIndex, TakesRowsOfF32Alone) {
  const TemporaryDirectory directory;
  const std::filesystem::path path = directory.path() / "rows.faiss";
  EXPECT_THROW(write_faiss_index(path, {{2}, std::vector<float>(2)}), ShapeError);
  EXPECT_THROW(write_faiss_index(path, {{1, 2}, std::vector<double>(2)}), ShapeError);
  EXPECT_THROW(write_faiss_index(path, {{2, 2}, std::vector<float>(3)}), ShapeError);
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace tern
