#include "tern/tensor_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>
#include <limits>
#include <random>

#include "tests/data/data_files.hpp"

namespace tern {
namespace {

using ::testing::AllOf;
using testing::complaint;
using testing::data_complaint;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::read_bytes;
using ::testing::SizeIs;
using testing::TemporaryDirectory;

std::string length_prefix(std::uint64_t length) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes;
}

/// A safetensors file with this header and these values.
std::string safetensors(const std::string& header, const std::string& values) {
  return length_prefix(header.size()) + header + values;
}

TEST(Safetensors, SurvivesItsFile) {
  const TemporaryDirectory directory;
  TensorFile file;
  file.tensors["f32"] = {{2, 3}, std::vector<float>{1.5F, -0.0F, 1e-45F, 3e38F, 0, -7}};
  file.tensors["f64"] = {{1}, std::vector<double>{0.1}};
  file.tensors["i32"] = {{2, 1, 1}, std::vector<std::int32_t>{-2147483647 - 1, 2147483647}};
  file.tensors["i64"] = {{}, std::vector<std::int64_t>{std::int64_t{1} << 60}};
  file.tensors["empty"] = {{0, 64}, std::vector<float>{}};
  file.tensors["quote \" and \xE2\x82\xAC"] = {{1}, std::vector<float>{2}};
  file.metadata = {{"epoch", "12"}, {"a \"key\"", "line\nend"}};
  write_safetensors(directory / "a", file);
  const TensorFile back = read_safetensors(directory / "a");
  EXPECT_EQ(back.metadata, file.metadata);
  ASSERT_EQ(back.tensors.size(), file.tensors.size());
  for (const auto& [name, tensor] : file.tensors) {
    EXPECT_EQ(back.tensors.at(name).shape, tensor.shape) << name;
    EXPECT_EQ(back.tensors.at(name).values, tensor.values) << name;
  }
  // The values begin at a multiple of 8, so that readers may map them.
  std::uint64_t length = 0;
  std::memcpy(&length, read_bytes(directory / "a").data(), 8);
  EXPECT_EQ(length % 8, 0u);
  write_safetensors(directory / "none", {});
  EXPECT_TRUE(read_safetensors(directory / "none").tensors.empty());
}

TEST(Safetensors, IsTheDocumentedLayout) {
  const TemporaryDirectory directory;
  TensorFile file;
  file.tensors["b"] = {{2}, std::vector<std::int32_t>{1, 2}};
  file.tensors["z"] = {{1}, std::vector<double>{1.0}};
  file.metadata["k"] = "v";
  write_safetensors(directory / "a", file);
  const std::string header =
      R"({"__metadata__":{"k":"v"},"z":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},)"
      R"("b":{"dtype":"I32","shape":[2],"data_offsets":[8,16]}})";
  const std::string padded = header + std::string((8 - header.size() % 8) % 8, ' ');
  const std::string values("\0\0\0\0\0\0\xF0\x3F\1\0\0\0\2\0\0\0", 16);
  EXPECT_EQ(read_bytes(directory / "a"), safetensors(padded, values));
}

TEST(Safetensors, ReadsOtherWritersFiles) {
  const TemporaryDirectory directory;
  const std::string bytes = safetensors(
      R"( {"a" : {"shape":[1,2], "data_offsets":[4,12], "dtype":"F32"}, "b":{"dtype":"I32","shape":)"
      R"([],"data_offsets":[0,4]}}   )",
      std::string(12, '\0'));
  // The header must begin with a brace; blanks are allowed only after it.
  EXPECT_THAT(data_complaint([&] { read_safetensors(directory.write("a", bytes)); }),
              HasSubstr("does not begin with {"));
  std::string trimmed = bytes.substr(9);
  const TensorFile file =
      read_safetensors(directory.write("b", length_prefix(bytes.size() - 8 - 12 - 1) + trimmed));
  EXPECT_THAT(file.tensors.at("a").shape, ElementsAre(1, 2));
  EXPECT_THAT(std::get<std::vector<std::int32_t>>(file.tensors.at("b").values), SizeIs(1));
}

TEST(Safetensors, RefusesDamagedFiles) {
  const TemporaryDirectory directory;
  const auto message = [&](const std::string& bytes) {
    const std::filesystem::path file = directory.write("t", bytes);
    return data_complaint([&] { read_safetensors(file); });
  };
  const auto of_header = [&](const std::string& header, std::size_t values = 4) {
    return message(safetensors(header, std::string(values, '\0')));
  };
  const std::string good = R"("dtype":"F32","shape":[1],"data_offsets":[0,4])";

  EXPECT_THAT(message(""), HasSubstr("has 0 bytes, expected at least 8"));
  EXPECT_THAT(message("1234567"), HasSubstr("has 7 bytes"));
  EXPECT_THAT(message(length_prefix(100) + "{}"), HasSubstr("claims 100 bytes"));
  EXPECT_THAT(message(length_prefix(~0ull) + "{}"), HasSubstr("claims 18446744073709551615"));
  EXPECT_THAT(message(length_prefix(100'000'001) + "{}"), HasSubstr("claims"));
  EXPECT_THAT(of_header("[]"), HasSubstr("does not begin with {"));
  EXPECT_THAT(of_header(""), HasSubstr("does not begin with {"));
  EXPECT_THAT(of_header("{\"a\":{"), HasSubstr("not JSON"));
  EXPECT_THAT(of_header("{} {}", 0), HasSubstr("not JSON"));
  EXPECT_THAT(of_header("{\"a\xFF\":1}"), HasSubstr("not JSON"));
  EXPECT_THAT(of_header("{\"a\":{" + good + "},\"a\":{" + good + "}}"),
              HasSubstr("the name \"a\" twice"));
  EXPECT_THAT(of_header(R"({"__metadata__":{"k":"v","k":"w"}})", 0), HasSubstr("\"k\" twice"));
  EXPECT_THAT(of_header(R"({"__metadata__":{"k":1}})", 0), HasSubstr("a number"));
  EXPECT_THAT(of_header(R"({"__metadata__":null})", 0), HasSubstr("null"));
  EXPECT_THAT(of_header(R"({"a":3})"), HasSubstr("a number"));
  EXPECT_THAT(of_header("{\"a\":{" + good + R"(,"more":1}})"), HasSubstr("unknown key \"more\""));
  EXPECT_THAT(of_header("{\"a\":{" + good + R"(,"dtype":"F32"}})"), HasSubstr("a string"));
  EXPECT_THAT(of_header("{\"a\":{" + good + R"(,"shape":[1]}})"), HasSubstr("an array"));
  EXPECT_THAT(of_header(R"({"a":{"dtype":"F32","shape":[1]}})"), HasSubstr("is incomplete"));
  EXPECT_THAT(of_header(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}})"),
              HasSubstr("is incomplete"));
  EXPECT_THAT(of_header(R"({"a":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}})", 2),
              AllOf(HasSubstr("\"BF16\""), HasSubstr("expected F32, F64, I32 or I64")));
  EXPECT_THAT(of_header(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})"),
              HasSubstr("the number -1"));
  EXPECT_THAT(of_header(R"({"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}})"),
              HasSubstr("the number 1.0"));
  EXPECT_THAT(of_header(R"({"a":{"dtype":"F32","shape":[[1]],"data_offsets":[0,4]}})"),
              HasSubstr("an array"));
  EXPECT_THAT(
      of_header(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}})"),
      HasSubstr("impossible shape [4294967296, 4294967296]"));
  EXPECT_THAT(
      of_header(R"({"a":{"dtype":"F32","shape":[0,9223372036854775807,9],"data_offsets":[0,0]}})",
                0),
      HasSubstr("impossible shape"));
  EXPECT_THAT(of_header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})"),
              HasSubstr("has the bytes 0 to 4"));
  EXPECT_THAT(of_header(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8),
              HasSubstr("begins at byte 4, expected 0"));
  EXPECT_THAT(of_header(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})"),
              HasSubstr("begins at byte 4"));
  EXPECT_THAT(of_header("{\"a\":{" + good + "},\"b\":{" + good + "}}"), HasSubstr("no overlaps"));
  EXPECT_THAT(of_header("{\"a\":{" + good + "}}", 3), HasSubstr("cut short"));
  EXPECT_THAT(of_header("{\"a\":{" + good + "}}", 5), HasSubstr("longer than its tensors"));
  EXPECT_THAT(message(length_prefix(4'000'000) + std::string(4'000'000, '[')),
              HasSubstr("does not begin"));
  EXPECT_THAT(of_header("{\"a\":" + std::string(1'000'000, '{')), HasSubstr("not JSON"));
  EXPECT_THAT(of_header("{\"a\":" + std::string(1'000'000, '[')), HasSubstr("an array"));
  EXPECT_THAT(data_complaint([&] { read_safetensors(directory / "absent"); }), HasSubstr("opened"));
  EXPECT_THAT(data_complaint([&] { read_safetensors(directory.path()); }), HasSubstr("regular"));
}

TEST(Safetensors, NoChangedByteBreaksTheReader) {
  const TemporaryDirectory directory;
  TensorFile file;
  file.tensors["weights"] = {{3, 2}, std::vector<float>(6, 1.0F)};
  file.metadata["version"] = "1";
  write_safetensors(directory / "a", file);
  const std::string good = read_bytes(directory / "a");
  std::mt19937 random(7);
  int refused = 0;
  for (int i = 0; i < 400; ++i) {
    std::string bad = good;
    bad[random() % (good.size() - 24)] = static_cast<char>(random());
    try {
      read_safetensors(directory.write(std::to_string(i), bad));
    } catch (const DataError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 200);  // the other changes only alter names and metadata
}

TEST(Safetensors, RefusesWhatItCannotWrite) {
  const TemporaryDirectory directory;
  TensorFile file;
  file.tensors["a"] = {{2, 2}, std::vector<float>(3)};
  EXPECT_THAT(complaint<ShapeError>([&] { write_safetensors(directory / "a", file); }),
              HasSubstr("\"a\" has 3 values, which do not fit its shape [2, 2]"));
  file.tensors = {{"__metadata__", {{1}, std::vector<float>(1)}}};
  EXPECT_THROW(write_safetensors(directory / "a", file), Error);
  file.tensors = {{"\xFF", {{1}, std::vector<float>(1)}}};
  EXPECT_THAT(complaint<Error>([&] { write_safetensors(directory / "a", file); }),
              HasSubstr("not UTF-8"));
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

std::string npy(const std::string& header, const std::string& values, int version = 1) {
  const auto length = static_cast<std::uint32_t>(header.size());
  std::string prefix("\x93NUMPY", 6);
  prefix += static_cast<char>(version);
  prefix += '\0';
  prefix.append(reinterpret_cast<const char*>(&length), version == 1 ? 2 : 4);
  return prefix + header + values;
}

TEST(Npy, SurvivesItsFile) {
  const TemporaryDirectory directory;
  const std::vector<Tensor> tensors{{{2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6}},
                                    {{3}, std::vector<double>{0.1, 0.2, 0.3}},
                                    {{}, std::vector<std::int32_t>{-5}},
                                    {{1, 1, 2}, std::vector<std::int64_t>{7, 8}},
                                    {{0, 4}, std::vector<float>{}}};
  for (const Tensor& tensor : tensors) {
    write_npy(directory / "a.npy", tensor);
    const Tensor back = read_npy(directory / "a.npy");
    EXPECT_EQ(back.shape, tensor.shape);
    EXPECT_EQ(back.values, tensor.values);
  }
}

TEST(Npy, IsNumPysLayout) {
  const TemporaryDirectory directory;
  write_npy(directory / "a.npy", {{2}, std::vector<std::int32_t>{1, 2}});
  // The bytes that numpy.save writes for numpy.array([1, 2], dtype="<i4").
  std::string expected = "{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }";
  expected.append(128 - 10 - expected.size() - 1, ' ').append("\n");
  EXPECT_EQ(read_bytes(directory / "a.npy"), npy(expected, std::string("\1\0\0\0\2\0\0\0", 8)));
  write_npy(directory / "b.npy", {{2, 1}, std::vector<double>(2)});
  EXPECT_THAT(read_bytes(directory / "b.npy"),
              HasSubstr("'<f8', 'fortran_order': False, 'shape': (2, 1), }"));
}

TEST(Npy, ReadsEveryVersionAndSpelling) {
  const TemporaryDirectory directory;
  for (const int version : {1, 2, 3}) {
    for (const std::string header :
         {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }\n",
          "{\"shape\":(1,2),\"fortran_order\":False,\"descr\":\"<f4\"}",
          "{'shape': (1L, 2L), 'descr': '<f4', 'fortran_order': False}  \n"}) {
      const Tensor tensor =
          read_npy(directory.write("a.npy", npy(header, std::string(8, '\0'), version)));
      EXPECT_THAT(tensor.shape, ElementsAre(1, 2));
    }
  }
}

TEST(Npy, RefusesWhatItDoesNotRead) {
  const TemporaryDirectory directory;
  const auto message = [&](const std::string& bytes) {
    const std::filesystem::path file = directory.write("f.npy", bytes);
    return data_complaint([&] { read_npy(file); });
  };
  const auto of_header = [&](const std::string& header, std::size_t values = 8) {
    return message(npy(header, std::string(values, '\0')));
  };
  EXPECT_THAT(message(""), HasSubstr("too short"));
  EXPECT_THAT(message("0 1 2\n3 4 5\n6 7 8\n"), HasSubstr("expected NumPy's .npy"));
  EXPECT_THAT(message(npy("{}", "12345678", 4)), HasSubstr("version 1 to 3"));
  EXPECT_THAT(message(npy(std::string(20, ' '), "").substr(0, 20)), HasSubstr("claims 20 bytes"));
  const std::string f4 = "{'descr': '<f4', 'fortran_order': False, 'shape': ";
  EXPECT_THAT(of_header("{'descr': ('<f4', (2,)), 'fortran_order': False, 'shape': (2,)}"),
              HasSubstr("no string"));
  EXPECT_THAT(of_header("{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}"),
              HasSubstr("neither True nor False"));
  EXPECT_THAT(of_header(f4 + "(2,)}", 7), HasSubstr("7 bytes of values"));
  EXPECT_THAT(of_header(f4 + "(2,)}", 9), HasSubstr("9 bytes of values"));
  EXPECT_THAT(of_header(f4 + "(4294967296, 4294967296)}"), HasSubstr("8 bytes of values"));
  EXPECT_THAT(of_header(f4 + "(99999999999999999999,)}"), HasSubstr("too large"));
  EXPECT_THAT(of_header(f4 + "(-2,)}"), HasSubstr("no size"));
  EXPECT_THAT(of_header(f4 + "(2)"), HasSubstr("no }"));
  EXPECT_THAT(of_header(f4 + "(2,), 'more': 1}"), HasSubstr("the key \"more\""));
  EXPECT_THAT(of_header(f4 + "(2,), 'shape': (2,)}"), HasSubstr("the key \"shape\""));
  EXPECT_THAT(of_header(f4 + "(2,)} {}"), HasSubstr("more than one dictionary"));
  EXPECT_THAT(of_header("{'descr': '<f4', 'shape': (2,)}"),
              HasSubstr("no descr, fortran_order or"));
  EXPECT_THAT(of_header(""), HasSubstr("no {"));
  EXPECT_THAT(of_header("{'descr"), HasSubstr("an unfinished string"));
}

TEST(WriteFileAtomically, ReplacesOrLeavesTheOldFile) {
  const TemporaryDirectory directory;
  write_file_atomically(directory / "a", "old");
  write_file_atomically(directory / "a", "new");
  EXPECT_EQ(read_bytes(directory / "a"), "new");
  EXPECT_THAT(complaint<Error>([&] { write_file_atomically(directory / "no" / "a", "x"); }),
              AllOf(HasSubstr("cannot be created"), HasSubstr("No such file or directory")));
  EXPECT_THAT(complaint<Error>([&] { write_file_atomically(directory.path(), "x"); }),
              HasSubstr("not a regular file"));
  const std::filesystem::path pipe = directory / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THROW(write_file_atomically(pipe, "x"), Error);
  EXPECT_TRUE(std::filesystem::is_fifo(pipe));
  std::filesystem::create_symlink(directory / "a", directory / "link");
  write_file_atomically(directory / "link", "through");
  EXPECT_TRUE(std::filesystem::is_symlink(directory / "link"));
  EXPECT_EQ(read_bytes(directory / "a"), "through");
  // No temporary file remains beside a, pipe and link.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory.path()), {}), 3);
}

TEST(Npy, TellsManySizesInAFewWords) {
  const TemporaryDirectory directory;
  std::string sizes;
  for (int i = 0; i < 5000; ++i) sizes += "1,";
  const std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + sizes + ")}";
  std::string file("\x93NUMPY\x02\x00\x00\x00\x00\x00", 12);
  const auto length = static_cast<std::uint32_t>(header.size());
  std::memcpy(file.data() + 8, &length, sizeof(length));
  const std::string said =
      data_complaint([&] { read_npy(directory.write("a", file + header + "12345")); });
  EXPECT_THAT(said,
              HasSubstr("do not fit the shape [1, 1, 1, 1, 1, 1, 1, 1, ... 5000 sizes] of <f4"));
}

}  // namespace
}  // namespace tern
