#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "host/data/table.hpp"
#include "host/data/table_sample.hpp"

namespace tern {

/// Reads JSON lines, an object each, like a table of the given keys. Values are texts, numbers as they
/// are written, true, false, or null (an empty field); other keys and everything nested is left out.
class JsonRowReader {
 public:
  JsonRowReader(std::string_view text, std::vector<std::string> keys);

  /// Reads an object; returns false at the end. Throws TextError if a line is no object, lacks a key,
  /// or has an array, an object or a NUL byte as the value of a key.
  bool next(std::vector<Field>& fields);

  const char* row() const noexcept { return row_; }
  std::int64_t blank_lines() const noexcept { return blank_lines_; }

 private:
  const char* cursor_;
  const char* end_;
  const char* row_ = nullptr;
  std::vector<std::string> keys_;
  std::vector<std::string> values_;
  std::int64_t blank_lines_ = 0;
};

/// The keys of the first 100 objects as a header, and the values below. Throws DataError if the first
/// line is no object.
TableSample sample_json_lines(std::string_view text, const std::string& file);

}  // namespace tern
