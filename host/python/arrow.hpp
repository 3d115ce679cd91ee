#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tern/external_id.hpp"
#include "tern/types.hpp"
#include "tern/vocabulary.hpp"

// The structures of Arrow's C data interface, which `__arrow_c_stream__` of a table gives.
// Source: https://arrow.apache.org/docs/format/CDataInterface.html and CStreamInterface.html.

extern "C" {

struct ArrowSchema {
  const char* format;
  const char* name;
  const char* metadata;
  std::int64_t flags;
  std::int64_t n_children;
  ArrowSchema** children;
  ArrowSchema* dictionary;
  void (*release)(ArrowSchema*);
  void* private_data;
};

struct ArrowArray {
  std::int64_t length;
  std::int64_t null_count;
  std::int64_t offset;
  std::int64_t n_buffers;
  std::int64_t n_children;
  const void** buffers;
  ArrowArray** children;
  ArrowArray* dictionary;
  void (*release)(ArrowArray*);
  void* private_data;
};

struct ArrowArrayStream {
  int (*get_schema)(ArrowArrayStream*, ArrowSchema* out);
  int (*get_next)(ArrowArrayStream*, ArrowArray* out);
  const char* (*get_last_error)(ArrowArrayStream*);
  void (*release)(ArrowArrayStream*);
  void* private_data;
};

}  // extern "C"

namespace tern::python {

/// The place in errors of tables in memory, which in_table() replaces by the argument's name; their line is the number of the
/// row, from 1.
inline constexpr char kTablePlace[] = "table";

/// The code of an id, which is added if it is new. Throws DataError on an id that breaks the rules.
NodeId add_id(Vocabulary& names, const ExternalId& id, const std::string& column,
              std::int64_t number);

/// Columns of interactions by the codes of their ids.
struct CodedColumns {
  std::vector<NodeId> users;
  std::vector<NodeId> items;
  std::vector<double> ratings;  // NaN: missing; empty without a column of them
  std::vector<double> times;
};

/// The names of columns in a table.
struct ColumnNames {
  std::string user;
  std::string item;
  std::optional<std::string> rating;
  std::optional<std::string> timestamp;
};

/// Reads a stream to its end. Ids are integers or text (also as dictionaries), numbers are integers, floats, dates
/// or times. Adds unknown ids to the names. Throws DataError on a missing column, one of another type, and a
/// missing id, whose row it names.
CodedColumns read_arrow(ArrowArrayStream& stream, const ColumnNames& columns, Vocabulary& users,
                        Vocabulary& items);

/// Reads a table of features to its end, as the text that DatasetBuilder::set_feature_table() takes: the column `key`
/// of ids first; then numbers, times and truth values as numbers, and text as categories. Throws DataError on a
/// missing column, one of another type, and a missing id.
std::string read_arrow_features(ArrowArrayStream& stream, const std::string& key);

}  // namespace tern::python
