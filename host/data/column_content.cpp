#include "host/data/column_content.hpp"

#include <algorithm>
#include <string_view>

#include "host/data/dates.hpp"
#include "host/data/text.hpp"

namespace tern {
namespace {

bool is_number(std::string_view text) {
  return parse_number(text, DecimalComma::kAllowed).has_value();
}

bool is_date(std::string_view text) {
  return parse_date(text).has_value();
}

bool is_number_or_date(std::string_view text) {
  return is_number(text) || is_date(text);
}

bool is_whole(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

bool is_unix_time(std::string_view text) {
  constexpr double kFrom = 1e8;
  constexpr double kTo = 1e19;  // nanoseconds until 2286
  const std::size_t point = text.find(".0");
  if (!is_whole(point == text.size() - 2 ? text.substr(0, point) : text)) return false;
  const double value = parse_number(text).value_or(0.0);
  return value >= kFrom && value <= kTo;
}

bool is_upper_or_digit(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_amazon_product(std::string_view text) {
  return text.size() == 10 && std::all_of(text.begin(), text.end(), is_upper_or_digit) &&
         (text.starts_with("B0") || is_whole(text.substr(0, 9)));
}

bool is_amazon_reviewer(std::string_view text) {
  return text.size() >= 11 && text.size() <= 24 && text.starts_with('A') &&
         std::all_of(text.begin(), text.end(), is_upper_or_digit);
}

}  // namespace

template <typename Test>
bool ColumnContent::all(std::size_t column, std::size_t begin, const Test& test) const {
  bool found = false;
  for (std::size_t row = begin; row < rows_.size(); ++row) {
    if (column >= rows_[row].size() || rows_[row][column].empty()) continue;
    if (!test(rows_[row][column])) return false;
    found = true;
  }
  return found;
}

template <typename Test>
bool ColumnContent::any(std::size_t column, const Test& test) const {
  return std::any_of(rows_.begin() + static_cast<std::ptrdiff_t>(std::min(begin_, rows_.size())),
                     rows_.end(), [&](const std::vector<std::string>& row) {
                       return column < row.size() && test(row[column]);
                     });
}

bool ColumnContent::first_row_heads_numbers() const {
  const std::vector<std::string>& first = rows_.front();
  if (std::any_of(first.begin(), first.end(), is_number_or_date)) return false;
  for (std::size_t c = 0; c < first.size(); ++c) {
    if (all(c, 1, is_number_or_date)) return true;
  }
  return false;
}

bool ColumnContent::has_a_number(std::size_t column) const {
  return any(column, is_number);
}

bool ColumnContent::has_dates(std::size_t column) const {
  return all(column, begin_, is_date);
}

bool ColumnContent::has_unix_times(std::size_t column) const {
  return all(column, begin_, is_unix_time);
}

bool ColumnContent::has_fractions(std::size_t column) const {
  return all(column, begin_, is_number) && any(column, [](std::string_view text) {
           return text.find_first_of(".,") != std::string_view::npos;
         });
}

bool ColumnContent::has_decimal_commas(std::size_t column) const {
  const auto has = [&](char mark) {
    return any(column, [&](std::string_view text) {
      return is_number(text) && text.find(mark) != std::string_view::npos;
    });
  };
  return has(',') && !has('.');
}

bool ColumnContent::looks_like_amazon_items_first() const {
  return all(0, begin_, is_amazon_product) && all(1, begin_, is_amazon_reviewer);
}

std::string ColumnContent::example(std::size_t column) const {
  for (std::size_t row = begin_; row < rows_.size(); ++row) {
    if (column < rows_[row].size() && !rows_[row][column].empty()) return rows_[row][column];
  }
  return "";
}

}  // namespace tern
