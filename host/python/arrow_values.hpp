#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include "host/python/arrow.hpp"
#include "tern/external_id.hpp"

// Values in the columns of Arrow's C data interface. A type is a format string of that interface; `row` counts from
// the array's offset.

namespace tern::python {

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

/// Throws DataError if the stream is no table of columns.
void read_schema(ArrowArrayStream& stream, ArrowSchema& schema);
/// The next part of the table; false at the end.
bool read_chunk(ArrowArrayStream& stream, ArrowArray& chunk);
/// The place of a column. Throws DataError, with those that there are.
std::int64_t find_column(const ArrowSchema& schema, const std::string& name);
/// Throws DataError.
[[noreturn]] void throw_type(const std::string& column, std::string_view format,
                             std::string_view expected);

inline bool bit_at(const ArrowArray& array, int buffer, std::int64_t row) {
  const std::int64_t at = array.offset + row;
  return (static_cast<const std::uint8_t*>(array.buffers[buffer])[at / 8] >> (at % 8) & 1) != 0;
}

/// Of a chunk too, whose rows may be missing as a whole.
inline bool is_valid(const ArrowArray& array, std::int64_t row) {
  if (array.null_count == 0 || array.n_buffers == 0) return true;
  return array.buffers[0] == nullptr || bit_at(array, 0, row);
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
inline std::string_view view_at(const ArrowArray& array, std::int64_t row) {
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

inline bool is_integer(std::string_view format) {
  return format.size() == 1 && std::strchr("cCsSiIlL", format[0]) != nullptr;
}
inline bool is_text(std::string_view format) {
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

/// Whether a format counts something in 32 or 64 bits: dates (tdD, tdm) and timestamps (tss:, ...).
inline bool is_time(std::string_view format) {
  return format.starts_with("td") || format.starts_with("ts");
}

}  // namespace tern::python
