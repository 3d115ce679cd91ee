#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "host/support/number_text.hpp"

namespace tern::cli {

using tern::brief;
using tern::duration;
using tern::grouped;

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
