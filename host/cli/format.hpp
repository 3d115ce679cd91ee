#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace tern::cli {

/// 1234567 -> "1,234,567".
std::string grouped(std::int64_t value);
/// Seconds for people: "0.42 s", "12.3 s", "3:05" (minutes), "2:03:05" (hours).
std::string duration(double seconds);
/// About four significant digits, with an exponent only for extreme values: "0.1128", "1,234".
std::string brief(double value);
/// The shortest decimal text that reads back as the same number.
std::string exact(float value);
/// A JSON string. Bytes that are not UTF-8 become U+FFFD.
std::string json_string(const std::string& text);

/// Aligned columns, two spaces apart: the first `left` ones flush left, the others flush right.
class Table {
 public:
  explicit Table(std::vector<std::string> header, std::size_t left = 1)
      : rows_{std::move(header)}, left_(left) {}
  /// As many cells as the header has.
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
  std::size_t left_;
};

}  // namespace tern::cli
