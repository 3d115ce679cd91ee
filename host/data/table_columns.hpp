#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "tern/dataset.hpp"

namespace tern {

/// The columns of an interaction table, by position from 0.
struct TableColumns {
  std::size_t user = 0;
  std::size_t item = 1;
  std::optional<std::size_t> rating;
  std::optional<std::size_t> timestamp;
  /// Whether the first row is a header.
  bool header = false;
  /// For a note: 'user = column 1 "userId", item = ...'.
  std::string description;
};

/// Finds the columns by the options and the first two rows; DataOptions states the rule. second is
/// empty if there is only one row. line: the number of the first row's line, for errors. Throws
/// ConfigError if an option does not fit the rows, DataError if they lack a column.
TableColumns find_columns(const std::vector<std::string>& first,
                          const std::vector<std::string>& second, const DataOptions& options,
                          const std::string& file, std::int64_t line);

}  // namespace tern
