// Arrays of every type that NumPy writes, as bytes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "host/data/npy_types.hpp"
#include "tern/tensor_file.hpp"
#include "tests/data/data_files.hpp"

namespace tern {
namespace {

using ::testing::AllOf;
using testing::data_complaint;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using testing::TemporaryDirectory;

/// The array with this type, shape ("(2,)") and bytes.
std::string array_bytes(const std::string& descr, const std::string& shape,
                        const std::vector<int>& bytes, const char* fortran = "False") {
  const std::string header =
      "{'descr': " + descr + ", 'fortran_order': " + fortran + ", 'shape': " + shape + ", }\n";
  std::string file("\x93NUMPY\x01\x00", 8);
  file += static_cast<char>(header.size());
  file += '\0';
  file += header;
  for (const int byte : bytes) file += static_cast<char>(byte);
  return file;
}

template <typename Value>
std::vector<Value> values_of(const std::string& descr, const std::string& shape,
                             const std::vector<int>& bytes, const char* fortran = "False") {
  const TemporaryDirectory directory;
  const Tensor tensor =
      read_npy(directory.write("a.npy", array_bytes("'" + descr + "'", shape, bytes, fortran)));
  if (!std::holds_alternative<std::vector<Value>>(tensor.values)) {
    ADD_FAILURE() << descr << " became another type";
    return {};
  }
  return std::get<std::vector<Value>>(tensor.values);
}

TEST(NpyTypes, Half) {
  // 1, -2, the largest number, the smallest one, and 1/3 in ten bits.
  EXPECT_THAT(values_of<float>("<f2", "(5,)", {0, 0x3C, 0, 0xC0, 0xFF, 0x7B, 1, 0, 0x55, 0x35}),
              ElementsAre(1.0F, -2.0F, 65504.0F, std::ldexp(1.0F, -24), 1365.0F / 4096.0F));
  EXPECT_THAT(values_of<float>(">f2", "(2,)", {0x3C, 0, 0x35, 0x55}),
              ElementsAre(1.0F, 1365.0F / 4096.0F));
  EXPECT_EQ(half_to_float(0xFC00), -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(half_to_float(0x7E00)));
  EXPECT_TRUE(std::signbit(half_to_float(0x8000)));
}

TEST(NpyTypes, Float) {
  EXPECT_THAT(values_of<float>("<f4", "(2,)", {0, 0, 0xC0, 0x3F, 0, 0, 0, 0xC0}),
              ElementsAre(1.5F, -2.0F));
  EXPECT_THAT(values_of<float>(">f4", "(2,)", {0x3F, 0xC0, 0, 0, 0xC0, 0, 0, 0}),
              ElementsAre(1.5F, -2.0F));
}

TEST(NpyTypes, Double) {
  EXPECT_THAT(values_of<double>("<f8", "(1,)", {0, 0, 0, 0, 0, 0, 0xF8, 0x3F}), ElementsAre(1.5));
  EXPECT_THAT(values_of<double>(">f8", "(1,)", {0x3F, 0xF8, 0, 0, 0, 0, 0, 0}), ElementsAre(1.5));
}

TEST(NpyTypes, Bool) {
  EXPECT_THAT(values_of<std::int32_t>("|b1", "(3,)", {1, 0, 1}), ElementsAre(1, 0, 1));
}

TEST(NpyTypes, IntegersOfOneByte) {
  EXPECT_THAT(values_of<std::int32_t>("|i1", "(2,)", {0xFF, 0x7F}), ElementsAre(-1, 127));
  EXPECT_THAT(values_of<std::int32_t>("|u1", "(2,)", {0xFF, 0x7F}), ElementsAre(255, 127));
}

TEST(NpyTypes, IntegersOfTwoBytes) {
  EXPECT_THAT(values_of<std::int32_t>("<i2", "(2,)", {0xFE, 0xFF, 1, 2}), ElementsAre(-2, 513));
  EXPECT_THAT(values_of<std::int32_t>(">i2", "(2,)", {0xFF, 0xFE, 2, 1}), ElementsAre(-2, 513));
  EXPECT_THAT(values_of<std::int32_t>("<u2", "(2,)", {0xFE, 0xFF, 1, 2}), ElementsAre(65534, 513));
  EXPECT_THAT(values_of<std::int32_t>(">u2", "(1,)", {0xFF, 0xFE}), ElementsAre(65534));
}

TEST(NpyTypes, IntegersOfFourBytes) {
  EXPECT_THAT(values_of<std::int32_t>("<i4", "(1,)", {0xFE, 0xFF, 0xFF, 0xFF}), ElementsAre(-2));
  EXPECT_THAT(values_of<std::int32_t>(">i4", "(1,)", {0, 1, 2, 3}), ElementsAre(66051));
  EXPECT_THAT(values_of<std::int64_t>("<u4", "(1,)", {0xFE, 0xFF, 0xFF, 0xFF}),
              ElementsAre(4294967294));
  EXPECT_THAT(values_of<std::int64_t>(">u4", "(1,)", {0xFF, 0xFF, 0xFF, 0xFE}),
              ElementsAre(4294967294));
}

TEST(NpyTypes, IntegersOfEightBytes) {
  EXPECT_THAT(values_of<std::int64_t>("<i8", "(1,)", {0xFE, 0xFF, 0xFF, 0xFF, 255, 255, 255, 255}),
              ElementsAre(-2));
  EXPECT_THAT(values_of<std::int64_t>(">i8", "(1,)", {0, 0, 0, 1, 0, 0, 0, 2}),
              ElementsAre(4294967298));
  EXPECT_THAT(values_of<double>("<u8", "(1,)", {0, 0, 0, 0, 0, 0, 0, 0x80}),
              ElementsAre(9223372036854775808.0));
  EXPECT_THAT(values_of<double>(">u8", "(1,)", {0, 0, 0, 0, 0, 0, 1, 2}), ElementsAre(258.0));
}

TEST(NpyTypes, FortranOrder) {
  // Columns one after another: (1, 3), (2, 4), (5, 6).
  EXPECT_THAT(values_of<std::int32_t>("|u1", "(2, 3)", {1, 3, 2, 4, 5, 6}, "True"),
              ElementsAre(1, 2, 5, 3, 4, 6));
  EXPECT_THAT(values_of<float>("<f4", "(2, 1)", {0, 0, 0xC0, 0x3F, 0, 0, 0, 0xC0}, "True"),
              ElementsAre(1.5F, -2.0F));
  EXPECT_THAT(values_of<std::int32_t>("|u1", "(3,)", {1, 2, 3}, "True"), ElementsAre(1, 2, 3));
  // Larger than the blocks in which values are read.
  const int rows = 300;
  const int columns = 400;
  std::vector<int> bytes;
  for (int c = 0; c < columns; ++c) {
    for (int r = 0; r < rows; ++r) bytes.push_back((7 * r + 3 * c) % 251);
  }
  const auto values = values_of<std::int32_t>("|u1", "(300, 400)", bytes, "True");
  ASSERT_EQ(values.size(), bytes.size());
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < columns; ++c) {
      ASSERT_EQ(values[static_cast<std::size_t>(r * columns + c)], (7 * r + 3 * c) % 251);
    }
  }
}

TEST(NpyTypes, RefusesOthersByName) {
  const TemporaryDirectory directory;
  const auto message = [&](const std::string& descr, const char* fortran = "False") {
    const std::filesystem::path file =
        directory.write("a.npy", array_bytes(descr, "(1, 1, 1)", std::vector<int>(16, 0), fortran));
    return data_complaint([&] { read_npy(file); });
  };
  EXPECT_THAT(message("[('a', '<f4'), ('b', '<i8')]"),
              AllOf(StartsWith((directory / "a.npy").string()),
                    HasSubstr("a structured array with elements of type \"[('a', '<f4'), ('b', "
                              "'<i8')]\""),
                    HasSubstr("structured_to_unstructured")));
  EXPECT_THAT(message("'<c8'"), AllOf(HasSubstr("\"<c8\": complex"), HasSubstr("array.real")));
  EXPECT_THAT(message("'|O'"), AllOf(HasSubstr("\"|O\": Python objects"), HasSubstr("astype")));
  EXPECT_THAT(message("'<M8[ns]'"), AllOf(HasSubstr("\"<M8[ns]\": dates"), HasSubstr("astype")));
  EXPECT_THAT(message("'<m8[D]'"), HasSubstr("\"<m8[D]\": dates or durations"));
  EXPECT_THAT(message("'<U10'"), AllOf(HasSubstr("\"<U10\": text"), HasSubstr("table keyed by")));
  EXPECT_THAT(message("'|S3'"), HasSubstr("\"|S3\": text"));
  EXPECT_THAT(message("'|V16'"), HasSubstr("\"|V16\": raw bytes"));
  EXPECT_THAT(message("'<f16'"), AllOf(HasSubstr("\"<f16\": "), HasSubstr("at most 64 bits")));
  EXPECT_THAT(message("'<f1'"), HasSubstr("\"<f1\""));
  EXPECT_THAT(message("'<i3'"), HasSubstr("\"<i3\""));
  EXPECT_THAT(message("'<b2'"), HasSubstr("\"<b2\""));
  EXPECT_THAT(message("''"), HasSubstr("type \"\""));
  EXPECT_THAT(message("'<f8'", "True"), HasSubstr("shape [1, 1, 1] in Fortran order"));
}

}  // namespace
}  // namespace tern
