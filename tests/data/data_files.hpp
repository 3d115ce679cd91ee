#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "tern/error.hpp"
#include "tests/support/compressed.hpp"
#include "tests/support/temporary_directory.hpp"

namespace tern::testing {

using test::gzip;
using test::TemporaryDirectory;
using test::zstd;

/// "prefix17". GCC 12 warns falsely (-Wrestrict) about prefix + std::to_string(17).
inline std::string numbered(std::string_view prefix, std::int64_t number) {
  return std::string(prefix).append(std::to_string(number));
}

inline std::string read_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The message of the Exception that body throws. If it throws nothing, fails the test.
template <typename Exception, typename Body>
std::string complaint(const Body& body) {
  try {
    body();
  } catch (const Exception& error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

template <typename Body>
std::string data_complaint(const Body& body) {
  return complaint<DataError>(body);
}

}  // namespace tern::testing
