#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace tern {

/// What the columns of a table hold, by its first rows. Empty fields, and rows that are too short, do
/// not count; without any field, each answer is no.
class ColumnContent {
 public:
  using Rows = std::vector<std::vector<std::string>>;
  /// rows: a header may be the first. Must outlive this object.
  explicit ColumnContent(const Rows& rows) : rows_(rows) {}

  /// Whether the first row is left out of all questions below.
  void skip_header(bool header) { begin_ = header ? 1 : 0; }
  bool no_rows() const { return rows_.size() <= begin_; }

  /// Whether the first row has no number or date, but a column below it has only such.
  bool first_row_heads_numbers() const;

  bool has_a_number(std::size_t column) const;
  /// Whether all are dates that parse_date() reads.
  bool has_dates(std::size_t column) const;
  /// Whether all are whole numbers that can be seconds (or milliseconds, ...) since 1970, from 1973 on.
  bool has_unix_times(std::size_t column) const;
  /// Whether all are numbers, and one has a decimal point.
  bool has_fractions(std::size_t column) const;
  /// Whether a number has a decimal comma, and none a decimal point.
  bool has_decimal_commas(std::size_t column) const;
  /// Whether the first column holds product ids of Amazon ("B00005N7P0", "0439893577") and the second
  /// ids of its reviewers ("A1D87F6ZCVE5NK"): some of its files are ordered so, others the other way.
  bool looks_like_amazon_items_first() const;

  /// The first field.
  std::string example(std::size_t column) const;

 private:
  template <typename Test>
  bool all(std::size_t column, std::size_t begin, const Test& test) const;
  template <typename Test>
  bool any(std::size_t column, const Test& test) const;

  const Rows& rows_;
  std::size_t begin_ = 0;
};

}  // namespace tern
