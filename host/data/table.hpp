#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "host/data/text.hpp"

namespace tern {

enum class TableFormat : std::uint8_t { kTsv, kCsv };

inline char delimiter_of(TableFormat format) {
  return format == TableFormat::kTsv ? '\t' : ',';
}
inline Quotes quotes_of(TableFormat format) {
  return format == TableFormat::kTsv ? Quotes::kNone : Quotes::kDouble;
}

/// The widest row that is read: a line of nothing but delimiters must not need forty times its size
/// in memory.
inline constexpr std::size_t kMaxColumns = 65'536;

/// A field of a row. Quoted ones may hold anything; escaped ones still have their doubled quotes.
struct Field {
  std::string_view text;
  bool quoted = false;
  bool escaped = false;

  /// The field's value: a part of the text, or of scratch.
  std::string_view value(std::string& scratch) const;
};

/// Reads the rows of a text that begins and ends at line ends. Tab-separated fields are taken
/// literally. Comma-separated ones follow RFC 4180: quotes around a field, doubled within it, line
/// ends allowed between them; blanks around a field are left out. Blank lines are left out.
class RowReader {
 public:
  /// num_fields: the number that every row must have; 0: any.
  RowReader(std::string_view text, TableFormat format, std::size_t num_fields)
      : cursor_(text.data()),
        end_(text.data() + text.size()),
        format_(format),
        num_fields_(num_fields) {}

  /// Reads a row; false at the end. Throws TextError on a row of another length or of more than
  /// kMaxColumns fields, on a quote in the wrong place, and on a NUL byte.
  bool next(std::vector<Field>& fields);

  /// Where the row that was read last begins, and where the next one does.
  const char* row() const noexcept { return row_; }
  const char* cursor() const noexcept { return cursor_; }
  std::int64_t blank_lines() const noexcept { return blank_lines_; }

 private:
  void add(Field field, std::vector<Field>& fields) const;
  void split(std::string_view line, std::vector<Field>& fields) const;
  void split_quoted(std::vector<Field>& fields);
  Field quoted_field();
  void check_row(const std::vector<Field>& fields) const;

  const char* cursor_;
  const char* end_;
  const char* row_ = nullptr;
  TableFormat format_;
  std::size_t num_fields_;
  std::int64_t blank_lines_ = 0;
};

}  // namespace tern
