#include "host/python/arrow.hpp"

#include <fmt/format.h>

#include <cstring>
#include <limits>
#include <string_view>
#include <type_traits>

#include "host/support/message.hpp"
#include "tern/error.hpp"

namespace tern::python {
namespace {

/// Releases a structure of the interface at its end.
template <typename Structure>
struct Released : Structure {
  Released() : Structure{} {}
  ~Released() {
    if (this->release != nullptr) this->release(this);
  }
  Released(const Released&) = delete;
  Released& operator=(const Released&) = delete;
};

void check(ArrowArrayStream& stream, int status) {
  if (status == 0) return;
  const char* reason = stream.get_last_error(&stream);
  throw DataError(kTablePlace, 0, reason != nullptr ? reason : "the table cannot be read");
}

std::int64_t find_column(const ArrowSchema& schema, const std::string& name) {
  std::string known;
  for (std::int64_t c = 0; c < schema.n_children; ++c) {
    const char* given = schema.children[c]->name;  // Arrow allows null
    const std::string column = given == nullptr ? "" : given;
    if (column == name) return c;
    known += (c == 0 ? "" : ", ") + quote(column);
  }
  throw DataError(kTablePlace, 0,
                  fmt::format("there is no column {}; found {}", quote(name), known));
}

bool is_valid(const ArrowArray& array, std::int64_t row) {
  const auto* bits = static_cast<const std::uint8_t*>(array.buffers[0]);
  const std::int64_t at = array.offset + row;
  return array.null_count == 0 || bits == nullptr || (bits[at / 8] >> (at % 8) & 1) != 0;
}

template <typename Value>
Value value_at(const ArrowArray& array, std::int64_t row) {
  return static_cast<const Value*>(array.buffers[1])[array.offset + row];
}

/// The text of a row, by the offsets of a buffer of characters.
template <typename Offset>
std::string_view text_at(const ArrowArray& array, std::int64_t row) {
  const auto begin = value_at<Offset>(array, row);
  const auto end = value_at<Offset>(array, row + 1);
  return {static_cast<const char*>(array.buffers[2]) + begin,
          static_cast<std::size_t>(end - begin)};
}

/// The same by a view: the length, and up to 12 characters, or a prefix, a buffer and an offset in it.
std::string_view view_at(const ArrowArray& array, std::int64_t row) {
  constexpr std::int32_t kInline = 12;
  const char* view = static_cast<const char*>(array.buffers[1]) + 16 * (array.offset + row);
  std::int32_t fields[4];
  std::memcpy(fields, view, sizeof fields);
  const auto size = static_cast<std::size_t>(fields[0]);
  if (fields[0] <= kInline) return {view + 4, size};
  return {static_cast<const char*>(array.buffers[2 + fields[2]]) + fields[3], size};
}

/// Calls body with the integer of a row; false if the format is none of integers.
template <typename Body>
bool with_integer(std::string_view format, const ArrowArray& array, std::int64_t row,
                  const Body& body) {
  if (format.size() != 1) return false;
  switch (format[0]) {
    case 'c':
      return body(value_at<std::int8_t>(array, row)), true;
    case 'C':
      return body(value_at<std::uint8_t>(array, row)), true;
    case 's':
      return body(value_at<std::int16_t>(array, row)), true;
    case 'S':
      return body(value_at<std::uint16_t>(array, row)), true;
    case 'i':
      return body(value_at<std::int32_t>(array, row)), true;
    case 'I':
      return body(value_at<std::uint32_t>(array, row)), true;
    case 'l':
      return body(value_at<std::int64_t>(array, row)), true;
    case 'L':
      return body(value_at<std::uint64_t>(array, row)), true;
    default:
      return false;
  }
}

bool is_integer(std::string_view format) {
  return format.size() == 1 && std::strchr("cCsSiIlL", format[0]) != nullptr;
}
bool is_text(std::string_view format) {
  return format == "u" || format == "U" || format == "vu";
}

/// Calls body with the id of a row.
template <typename Body>
void with_id(std::string_view format, const ArrowArray& array, std::int64_t row, const Body& body) {
  if (format == "u") return body(ExternalId(text_at<std::int32_t>(array, row)));
  if (format == "U") return body(ExternalId(text_at<std::int64_t>(array, row)));
  if (format == "vu") return body(ExternalId(view_at(array, row)));
  with_integer(format, array, row, [&](auto number) {
    // Widened, because ExternalId takes no bytes, which are characters.
    using Number = decltype(number);
    body(ExternalId(static_cast<std::conditional_t<sizeof(Number) == 1, int, Number>>(number)));
  });
}

class IdColumn {
 public:
  IdColumn(const ArrowSchema& schema, const std::string& name, Vocabulary& names)
      : name_(name), place_(find_column(schema, name)), names_(names) {
    const ArrowSchema& column = *schema.children[place_];
    format_ = column.format;
    if (column.dictionary != nullptr) values_ = column.dictionary->format;
    const std::string& ids = values_.empty() ? format_ : values_;
    if (!is_integer(ids) && !is_text(ids)) {
      throw DataError(kTablePlace, 0,
                      fmt::format("column {} has Arrow's type {}, expected integers or text as ids",
                                  quote(name), quote(ids)));
    }
  }

  void read(const ArrowArray& chunk, std::int64_t rows_before, std::vector<NodeId>& codes) const {
    const ArrowArray& column = *chunk.children[place_];
    std::vector<NodeId> of_value(values_.empty() ? 0 : column.dictionary->length, -1);
    for (std::int64_t row = 0; row < chunk.length; ++row) {
      const std::int64_t at = chunk.offset + row;
      const std::int64_t number = rows_before + row + 1;
      if (!is_valid(column, at)) throw_missing(number);
      codes.push_back(values_.empty() ? code(format_, column, at, number)
                                      : code_of_value(column, at, number, of_value));
    }
  }

 private:
  NodeId code(std::string_view format, const ArrowArray& array, std::int64_t at,
              std::int64_t number) const {
    NodeId found = 0;
    with_id(format, array, at,
            [&](const ExternalId& id) { found = add_id(names_, id, name_, number); });
    return found;
  }

  /// A value of a dictionary is looked up once.
  NodeId code_of_value(const ArrowArray& column, std::int64_t at, std::int64_t number,
                       std::vector<NodeId>& of_value) const {
    std::int64_t index = 0;
    with_integer(format_, column, at,
                 [&](auto integer) { index = static_cast<std::int64_t>(integer); });
    NodeId& found = of_value.at(static_cast<std::size_t>(index));
    if (found >= 0) return found;
    const ArrowArray& values = *column.dictionary;
    if (!is_valid(values, index)) throw_missing(number);
    return found = code(values_, values, index, number);
  }

  [[noreturn]] void throw_missing(std::int64_t number) const {
    throw DataError(kTablePlace, number, fmt::format("column {} has no id", quote(name_)));
  }

  std::string name_;
  std::int64_t place_;
  Vocabulary& names_;
  std::string format_;
  std::string values_;  // the format of a dictionary's values; empty without one
};

/// Whether a format counts something in 32 or 64 bits: dates (tdD, tdm) and timestamps (tss:, ...).
bool is_time(std::string_view format) {
  return format.starts_with("td") || format.starts_with("ts");
}

void read_numbers(const ArrowSchema& schema, const std::string& name, const ArrowArray& chunk,
                  std::vector<double>& numbers) {
  const std::int64_t place = find_column(schema, name);
  std::string_view format = schema.children[place]->format;
  if (is_time(format)) format = format == "tdD" ? "i" : "l";
  if (!is_integer(format) && format != "f" && format != "g") {
    throw DataError(kTablePlace, 0,
                    fmt::format("column {} has Arrow's type {}, expected numbers or times",
                                quote(name), quote(format)));
  }
  const ArrowArray& column = *chunk.children[place];
  for (std::int64_t row = 0; row < chunk.length; ++row) {
    const std::int64_t at = chunk.offset + row;
    double number = std::numeric_limits<double>::quiet_NaN();
    if (is_valid(column, at)) {
      if (format == "f") number = value_at<float>(column, at);
      if (format == "g") number = value_at<double>(column, at);
      with_integer(format, column, at,
                   [&](auto integer) { number = static_cast<double>(integer); });
    }
    numbers.push_back(number);
  }
}

}  // namespace

NodeId add_id(Vocabulary& names, const ExternalId& id, const std::string& column,
              std::int64_t number) {
  try {
    return names.add(id.text());
  } catch (const ShapeError& error) {
    throw DataError(kTablePlace, number, fmt::format("column {}: {}", quote(column), error.what()));
  }
}

CodedColumns read_arrow(ArrowArrayStream& stream, const ColumnNames& columns, Vocabulary& users,
                        Vocabulary& items) {
  Released<ArrowSchema> schema;
  check(stream, stream.get_schema(&stream, &schema));
  if (std::string_view(schema.format) != "+s") {
    throw DataError(kTablePlace, 0, "found one array, expected a table of columns");
  }
  const IdColumn user_column(schema, columns.user, users);
  const IdColumn item_column(schema, columns.item, items);
  CodedColumns read;
  for (;;) {
    Released<ArrowArray> chunk;
    check(stream, stream.get_next(&stream, &chunk));
    if (chunk.release == nullptr) return read;  // the end
    const auto rows_before = static_cast<std::int64_t>(read.users.size());
    user_column.read(chunk, rows_before, read.users);
    item_column.read(chunk, rows_before, read.items);
    if (columns.rating) read_numbers(schema, *columns.rating, chunk, read.ratings);
    if (columns.timestamp) read_numbers(schema, *columns.timestamp, chunk, read.times);
  }
}

}  // namespace tern::python
