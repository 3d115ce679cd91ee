#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "host/data/table_sample.hpp"
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
  /// Whether timestamps are dates, and whether a comma can be the decimal point of a number.
  bool dates = false;
  bool decimal_comma = false;
  /// For a note: 'user = column 1 "userId", item = ...'.
  std::string description;
  /// For notes: sentences on columns that are suspicious.
  std::vector<std::string> warnings;
};

/// Finds the columns by the options and the first rows; DataOptions states the rule. Throws ConfigError
/// if an option does not fit the rows, DataError if they lack a column.
TableColumns find_columns(const TableSample& sample, const DataOptions& options,
                          const std::string& file);

}  // namespace tern
