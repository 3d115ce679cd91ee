#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "host/data/table.hpp"

namespace tern {

/// The first rows of a table, a header among them if there is one, up to the first error.
struct TableSample {
  std::vector<std::vector<std::string>> rows;
  std::int64_t line = 1;       // of the first row, for errors
  const char* rest = nullptr;  // behind the first row
  /// Whether a column has quotes around each of its fields, perhaps but in the first row.
  bool quoted_column = false;
  /// Whether the columns are keys of JSON objects, whose places mean nothing.
  bool keyed = false;
};

/// The lines that are sampled; an unclosed quote is looked for no further.
std::string_view beginning_of(std::string_view text);

/// At most 1,000 rows, and about 100,000 fields. Throws DataError if the first row has an error.
TableSample sample_rows(std::string_view text, const std::string& file, const TableFormat& format);

}  // namespace tern
