#include "host/data/table_columns.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include "host/data/text.hpp"
#include "host/support/message.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

constexpr std::array<std::string_view, 9> kUserNames{"user",     "userid",     "uid",
                                                     "username", "customer",   "customerid",
                                                     "reviewer", "reviewerid", "visitorid"};
constexpr std::array<std::string_view, 20> kItemNames{
    "item",   "itemid",  "iid",     "product",  "productid",  "asin",     "parentasin",
    "movie",  "movieid", "book",    "bookid",   "artist",     "artistid", "song",
    "songid", "track",   "trackid", "business", "businessid", "isbn"};
constexpr std::array<std::string_view, 5> kRatingNames{"rating", "ratings", "score", "stars",
                                                       "overall"};
constexpr std::array<std::string_view, 6> kTimestampNames{"timestamp",      "time", "unixtime",
                                                          "unixreviewtime", "ts",   "datetime"};

/// Letters and digits before a colon, in lower case: "User-ID:token" is "userid".
std::string plain_name(std::string_view name) {
  std::string plain;
  for (const char c : name.substr(0, name.find(':'))) {
    if (c >= 'A' && c <= 'Z') plain += static_cast<char>(c - 'A' + 'a');
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) plain += c;
  }
  return plain;
}

/// The number in an option that gives a position.
std::optional<std::size_t> as_position(const std::string& option) {
  const bool digits = !option.empty() && option.size() <= 6 &&
                      option.find_first_not_of("0123456789") == std::string::npos;
  if (!digits) return std::nullopt;
  return static_cast<std::size_t>(std::stoul(option));
}

bool is_none(const std::string& option) {
  return option == "none";
}

bool is_name(const std::string& option) {
  return !option.empty() && !as_position(option);
}

/// Finds the columns one by one, so that none is used twice.
class ColumnFinder {
 public:
  ColumnFinder(const std::vector<std::string>& first, const std::vector<std::string>& second,
               const DataOptions& options, const std::string& file, std::int64_t line)
      : first_(first), second_(second), options_(options), file_(file), line_(line) {}

  TableColumns find() {
    if (first_.size() < 2) {
      throw DataError(file_, line_,
                      fmt::format("row {} has one column, expected at least two, user and item",
                                  quote(first_.empty() ? "" : first_[0])));
    }
    named_ = is_name(options_.user_column) || is_name(options_.item_column) ||
             (is_name(options_.rating_column) && !is_none(options_.rating_column)) ||
             (is_name(options_.timestamp_column) && !is_none(options_.timestamp_column)) ||
             known_name(kUserNames) || known_name(kItemNames);

    TableColumns columns;
    columns.user = required("user", options_.user_column, kUserNames, 0);
    columns.item = required("item", options_.item_column, kItemNames, 1);
    columns.rating = optional("rating", options_.rating_column, kRatingNames, 2);
    columns.timestamp = optional("timestamp", options_.timestamp_column, kTimestampNames, 3);
    columns.header = named_ || heads_number(columns.rating) || heads_number(columns.timestamp);
    columns.description = describe(columns);
    return columns;
  }

 private:
  std::optional<std::size_t> known_name(std::span<const std::string_view> names) const {
    for (const std::string_view name : names) {
      for (std::size_t i = 0; i < first_.size(); ++i) {
        if (plain_name(first_[i]) == name) return i;
      }
    }
    return std::nullopt;
  }

  bool taken(std::size_t column) const {
    return std::find(taken_.begin(), taken_.end(), column) != taken_.end();
  }

  std::size_t take(std::string_view kind, std::size_t column) {
    if (taken(column)) {
      throw ConfigError(
          fmt::format("{}: column {} would be read as {} and as something else; set "
                      "data.user_column and data.item_column",
                      file_, column + 1, kind));
    }
    taken_.push_back(column);
    return column;
  }

  /// The column that an option asks for.
  std::size_t asked(std::string_view kind, const std::string& option) const {
    if (const auto position = as_position(option)) {
      if (*position >= 1 && *position <= first_.size()) return *position - 1;
      throw ConfigError(fmt::format("{}: data.{}_column: found {}, expected a column from 1 to {}",
                                    file_, kind, option, first_.size()));
    }
    const auto found = std::find(first_.begin(), first_.end(), option);
    if (found != first_.end()) return static_cast<std::size_t>(found - first_.begin());
    throw ConfigError(
        fmt::format("{}: data.{}_column: found {}, expected one of the first row's names: {}",
                    file_, kind, quote(option), names()));
  }

  std::size_t required(std::string_view kind, const std::string& option,
                       std::span<const std::string_view> known, std::size_t position) {
    if (!option.empty()) return take(kind, asked(kind, option));
    if (!named_) return take(kind, position);
    if (const auto column = known_name(known)) return take(kind, *column);
    throw DataError(
        file_, line_,
        fmt::format("the header names no {0} column ({1}, {2}, ...) among {3}; choose one with "
                    "data.{0}_column",
                    kind, known[0], known[1], names()));
  }

  std::optional<std::size_t> optional(std::string_view kind, const std::string& option,
                                      std::span<const std::string_view> known,
                                      std::size_t position) {
    if (is_none(option)) return std::nullopt;
    if (!option.empty()) return take(kind, asked(kind, option));
    std::optional<std::size_t> column =
        named_ ? known_name(known)
               : (position < first_.size() ? std::optional(position) : std::nullopt);
    if (column && taken(*column)) column.reset();
    if (column) taken_.push_back(*column);
    return column;
  }

  /// Whether the first row has no number in this column, but the second has.
  bool heads_number(std::optional<std::size_t> column) const {
    return column && *column < second_.size() && !parse_number(first_[*column]) &&
           parse_number(second_[*column]);
  }

  std::string names() const {
    constexpr std::size_t kMax = 12;
    std::string list = quote(first_[0]);
    for (std::size_t i = 1; i < std::min(kMax, first_.size()); ++i) list += ", " + quote(first_[i]);
    return first_.size() > kMax ? list + ", ..." : list;
  }

  std::string describe(const TableColumns& columns) const {
    std::string text;
    const auto add = [&](std::string_view kind, std::size_t column) {
      text += fmt::format("{}{} = column {}", text.empty() ? "" : ", ", kind, column + 1);
      if (columns.header) text += fmt::format(" {}", quote(first_[column]));
    };
    add("user", columns.user);
    add("item", columns.item);
    if (columns.rating) add("rating", *columns.rating);
    if (columns.timestamp) add("timestamp", *columns.timestamp);
    if (!columns.header) text += "; no header";
    return text;
  }

  const std::vector<std::string>& first_;
  const std::vector<std::string>& second_;
  const DataOptions& options_;
  const std::string& file_;
  std::int64_t line_;
  bool named_ = false;  // whether columns are found by the header's names
  std::vector<std::size_t> taken_;
};

}  // namespace

TableColumns find_columns(const std::vector<std::string>& first,
                          const std::vector<std::string>& second, const DataOptions& options,
                          const std::string& file, std::int64_t line) {
  return ColumnFinder(first, second, options, file, line).find();
}

}  // namespace tern
