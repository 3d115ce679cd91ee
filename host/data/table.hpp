#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "host/data/text.hpp"

namespace tern {

/// How the fields of a row are divided.
enum class Separation : std::uint8_t {
  kOne,      // by the separator
  kDoubled,  // by the separator twice, as in "::"
  kBlanks,   // by any number of blanks
};

struct TableFormat {
  char separator = '\t';
  Separation separation = Separation::kOne;
  Quotes quotes = Quotes::kNone;

  friend bool operator==(const TableFormat&, const TableFormat&) = default;
  static const TableFormat kTsv;
  static const TableFormat kCsv;
};

inline constexpr TableFormat TableFormat::kTsv{'\t', Separation::kOne, Quotes::kNone};
inline constexpr TableFormat TableFormat::kCsv{',', Separation::kOne, Quotes::kDouble};

inline Quotes quotes_of(const TableFormat& format) {
  return format.quotes;
}
/// For messages: "comma", "tab", "\"::\"".
std::string separator_name(const TableFormat& format);

/// Rows with more columns are errors. Without a limit, a line of delimiters only would need forty
/// times its size in memory.
inline constexpr std::size_t kMaxColumns = 65'536;

/// A field of a row. A quoted one may hold any bytes; an escaped one still has its doubled quotes.
struct Field {
  std::string_view text;
  bool quoted = false;
  bool escaped = false;

  /// The field's value: a part of the text, or of scratch.
  std::string_view value(std::string& scratch) const;
};

/// The id in a field of a row: a part of the text, or of scratch. Throws TextError, with the kind
/// of id, if the id is empty, longer than 65,535 bytes, or has a tab or a line end (which a quoted
/// field may hold, but a vocabulary may not).
std::string_view id_value(std::string_view kind, const Field& field, const char* row,
                          std::string& scratch);

/// Reads the rows of a text that begins and ends at line ends. Without Quotes::kDouble, quotes are parts
/// of fields. With it, fields follow RFC 4180: one may be quoted, and then hold line ends, separators and
/// doubled quotes. Blanks around a field are left out unless tabs separate, and so are blank lines.
class RowReader {
 public:
  /// num_fields: the number of fields that every row must have; 0: any.
  RowReader(std::string_view text, TableFormat format, std::size_t num_fields)
      : cursor_(text.data()),
        end_(text.data() + text.size()),
        format_(format),
        num_fields_(num_fields) {}

  /// Reads a row; returns false at the end. Throws TextError on a row of another length or of more
  /// than kMaxColumns fields, on a quote in the wrong place, and on a NUL byte.
  bool next(std::vector<Field>& fields);

  /// The beginnings of the row that was read last, and of the next one.
  const char* row() const noexcept { return row_; }
  const char* cursor() const noexcept { return cursor_; }
  std::int64_t blank_lines() const noexcept { return blank_lines_; }

 private:
  void add(Field field, std::vector<Field>& fields) const;
  void split(std::string_view line, std::vector<Field>& fields) const;
  void split_at_blanks(std::string_view line, std::vector<Field>& fields) const;
  void split_quoted(std::vector<Field>& fields);
  bool trims() const { return format_.separator != '\t'; }
  bool ends_field(const char* place) const;
  bool is_blank_row(std::string_view line) const;
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
