#include "host/data/table_columns.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "host/data/column_content.hpp"
#include "host/data/column_names.hpp"
#include "host/data/dates.hpp"
#include "host/data/text.hpp"
#include "host/support/message.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

using enum ColumnMeaning;

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

std::string_view word_of(ColumnMeaning meaning) {
  switch (meaning) {
    case kUser:
      return "user";
    case kItem:
      return "item";
    case kRating:
      return "rating";
    case kTimestamp:
      break;
  }
  return "timestamp";
}

/// Finds the columns one by one, so that none is used twice.
class ColumnFinder {
 public:
  ColumnFinder(const TableSample& sample, const DataOptions& options, const std::string& file)
      : first_(sample.rows.front()),
        content_(sample.rows),
        options_(options),
        file_(file),
        line_(sample.line),
        keyed_(sample.keyed) {}

  TableColumns find() {
    if (first_.size() < 2) {
      throw DataError(file_, line_,
                      keyed_ ? "the object has fewer than two keys, expected a user and an item"
                             : fmt::format("row {} has one column, expected at least two, user and "
                                           "item",
                                           quote(first_[0])));
    }
    columns_.header = is_header();
    content_.skip_header(columns_.header);
    // Without a name of either side, columns are found by their places, also below a header.
    named_ = columns_.header && (keyed_ || known_name(kUser) || known_name(kItem) ||
                                 is_name(options_.user_column) || is_name(options_.item_column));
    columns_.user = named_ ? required(kUser, options_.user_column) : asked_or_first();
    columns_.item = named_ ? required(kItem, options_.item_column) : asked_or_second();
    columns_.rating = optional(kRating, options_.rating_column);
    columns_.timestamp = optional(kTimestamp, options_.timestamp_column);
    if (columns_.timestamp) {
      columns_.dates = parse_date(content_.example(*columns_.timestamp)).has_value();
    }
    columns_.decimal_comma =
        (columns_.rating && content_.has_decimal_commas(*columns_.rating)) ||
        (columns_.timestamp && !columns_.dates && content_.has_decimal_commas(*columns_.timestamp));
    warn_of_dates(kUser, columns_.user);
    warn_of_dates(kItem, columns_.item);
    columns_.description = describe();
    return columns_;
  }

 private:
  bool is_header() const {
    if (options_.header != HeaderRow::kAuto) return options_.header == HeaderRow::kYes;
    const bool by_option =
        is_name(options_.user_column) || is_name(options_.item_column) ||
        (is_name(options_.rating_column) && !is_none(options_.rating_column)) ||
        (is_name(options_.timestamp_column) && !is_none(options_.timestamp_column));
    const bool typed = std::any_of(first_.begin(), first_.end(), has_type);
    return by_option || typed || names_a_side() || content_.first_row_heads_numbers();
  }

  /// Whether the first row names a user or an item column. A word such as "news" can also be an id:
  /// then the row has to name both sides.
  bool names_a_side() const {
    const auto user = known_name(kUser);
    const auto item = known_name(kItem);
    if (user && item && *user != *item) return true;
    const auto surely = [&](const std::optional<std::size_t>& column) {
      if (!column) return false;
      const std::string name = plain_name(first_[*column]);
      return name.ends_with("id") || name == "user" || name == "item";
    };
    return surely(user) || surely(item);
  }

  /// The column with the most certain of the known names.
  std::optional<std::size_t> known_name(ColumnMeaning meaning) const {
    std::optional<std::size_t> best;
    int least = 0;
    for (std::size_t i = 0; i < first_.size(); ++i) {
      const int rank = rank_of_name(meaning, first_[i]);
      if (rank < 0 || (best && rank >= least)) continue;
      best = i;
      least = rank;
    }
    return best;
  }

  bool taken(std::size_t column) const {
    return std::find(taken_.begin(), taken_.end(), column) != taken_.end();
  }

  std::size_t take(ColumnMeaning meaning, std::size_t column) {
    if (taken(column)) {
      throw ConfigError(
          fmt::format("{}: column {} would be read as {} and as something else; set "
                      "data.user_column and data.item_column",
                      file_, column + 1, word_of(meaning)));
    }
    taken_.push_back(column);
    return column;
  }

  /// The column that an option asks for.
  std::size_t asked(ColumnMeaning meaning, const std::string& option) const {
    const std::string_view kind = word_of(meaning);
    const auto position = keyed_ ? std::nullopt : as_position(option);
    if (position) {
      if (*position >= 1 && *position <= first_.size()) return *position - 1;
      throw ConfigError(fmt::format("{}: data.{}_column: found {}, expected a column from 1 to {}",
                                    file_, kind, option, first_.size()));
    }
    const auto found = std::find(first_.begin(), first_.end(), option);
    if (columns_.header && found != first_.end()) {
      return static_cast<std::size_t>(found - first_.begin());
    }
    throw ConfigError(
        columns_.header ? fmt::format("{}: data.{}_column: found {}, expected one of the first "
                                      "row's names: {}",
                                      file_, kind, quote(option), names())
                        : fmt::format("{}: data.{}_column: found {}, expected a position, because "
                                      "data.header is no",
                                      file_, kind, quote(option)));
  }

  std::size_t required(ColumnMeaning meaning, const std::string& option) {
    if (!option.empty()) return take(meaning, asked(meaning, option));
    if (const auto column = known_name(meaning)) return take(meaning, *column);
    throw DataError(file_, line_,
                    fmt::format("the {0} no {1} column ({2}, ...) among {3}; choose one with "
                                "data.{1}_column",
                                keyed_ ? "keys name" : "header names", word_of(meaning),
                                examples_of(meaning), names()));
  }

  std::size_t asked_or_first() {
    if (!options_.user_column.empty()) return take(kUser, asked(kUser, options_.user_column));
    if (options_.item_column.empty() && content_.looks_like_amazon_items_first()) {
      columns_.warnings.emplace_back(
          "Column 1 holds product ids of Amazon and column 2 ids of its reviewers: they are read "
          "as "
          "items and users (data.user_column and data.item_column decide otherwise).");
      return take(kUser, 1);
    }
    if (content_.has_dates(0)) refuse_places(0);
    return take(kUser, 0);
  }

  std::size_t asked_or_second() {
    if (!options_.item_column.empty()) return take(kItem, asked(kItem, options_.item_column));
    std::size_t second = columns_.user == 1 ? 0 : 1;
    if (content_.has_dates(second)) second = only_column_of_ids(second);
    return take(kItem, second);
  }

  /// "user time latitude longitude location": the column behind the dates that can hold ids, if there
  /// is only one.
  std::size_t only_column_of_ids(std::size_t dates) const {
    std::optional<std::size_t> found;
    for (std::size_t c = 0; c < first_.size(); ++c) {
      if (taken(c) || content_.has_dates(c) || content_.has_fractions(c)) continue;
      if (found) refuse_places(dates);
      found = c;
    }
    if (!found) refuse_places(dates);
    return *found;
  }

  [[noreturn]] void refuse_places(std::size_t dates) const {
    throw DataError(file_, line_,
                    fmt::format("column {} holds dates such as {}, so that the places of users and "
                                "items are not known; choose them with data.user_column and "
                                "data.item_column, positions from 1 to {}",
                                dates + 1, quote(content_.example(dates)), first_.size()));
  }

  std::optional<std::size_t> optional(ColumnMeaning meaning, const std::string& option) {
    if (is_none(option)) return std::nullopt;
    if (!option.empty()) return take(meaning, asked(meaning, option));
    std::optional<std::size_t> column;
    if (columns_.header) column = known_name(meaning);
    if (!column && !named_) column = by_place(meaning);
    if (!column || taken(*column)) return std::nullopt;
    if (!can_be(meaning, *column)) {
      columns_.warnings.push_back(fmt::format(
          "Column {} is not read as {}s: it holds no {}, such as {}.", *column + 1,
          word_of(meaning), meaning == kRating ? "numbers" : "numbers and no dates that Tern reads",
          quote(content_.example(*column))));
      return std::nullopt;
    }
    taken_.push_back(*column);
    return column;
  }

  /// Whether the sample has at least one value of this kind; a bad value elsewhere is then an error.
  bool can_be(ColumnMeaning meaning, std::size_t column) const {
    if (content_.no_rows()) return true;
    return content_.has_a_number(column) || (meaning == kTimestamp && content_.has_dates(column));
  }

  std::optional<std::size_t> by_place(ColumnMeaning meaning) const {
    // Options that move users or items tell nothing about the third and fourth column.
    const bool usual = columns_.user + columns_.item == 1 && first_.size() > 2;
    const bool times_third =
        usual && (content_.has_dates(2) || (first_.size() == 3 && content_.has_unix_times(2)));
    if (meaning == kRating) {
      const bool third = usual && !times_third && content_.has_a_number(2);
      return third ? std::optional<std::size_t>(2) : std::nullopt;
    }
    if (times_third) return 2;
    const bool fourth =
        usual && first_.size() > 3 &&
        (content_.has_unix_times(3) || (columns_.rating && content_.has_a_number(3)));
    if (fourth) return 3;
    for (std::size_t c = 0; c < first_.size(); ++c) {
      if (!taken(c) && content_.has_dates(c)) return c;
    }
    return std::nullopt;
  }

  void warn_of_dates(ColumnMeaning meaning, std::size_t column) {
    if (!content_.has_dates(column)) return;
    columns_.warnings.push_back(fmt::format("The {} ids in column {} look like dates, such as {}.",
                                            word_of(meaning), column + 1,
                                            quote(content_.example(column))));
  }

  std::string names() const {
    constexpr std::size_t kMax = 12;
    std::string list = quote(first_[0]);
    for (std::size_t i = 1; i < std::min(kMax, first_.size()); ++i) list += ", " + quote(first_[i]);
    return first_.size() > kMax ? list + ", ..." : list;
  }

  /// 'column 3 "rating"', or the key of JSON lines.
  std::string place_of(std::size_t column) const {
    if (keyed_) return quote(first_[column]);
    std::string text = fmt::format("column {}", column + 1);
    return columns_.header ? text + " " + quote(first_[column]) : text;
  }

  std::string describe() const {
    std::string text =
        fmt::format("user = {}, item = {}", place_of(columns_.user), place_of(columns_.item));
    if (columns_.rating) text += ", rating = " + place_of(*columns_.rating);
    if (columns_.timestamp) text += ", timestamp = " + place_of(*columns_.timestamp);
    if (columns_.dates) text += " (dates)";
    if (!columns_.header) text += "; no header";
    add_unread(text);
    return text;
  }

  void add_unread(std::string& text) const {
    constexpr std::size_t kMax = 8;
    std::size_t unread = 0;
    for (std::size_t c = 0; c < first_.size(); ++c) {
      if (taken(c)) continue;
      if (++unread <= kMax) text += (unread == 1 ? "; not read: " : ", ") + place_of(c);
    }
    if (unread > kMax) text += fmt::format(" and {} more", unread - kMax);
  }

  const std::vector<std::string>& first_;
  ColumnContent content_;
  const DataOptions& options_;
  const std::string& file_;
  std::int64_t line_;
  bool keyed_;
  TableColumns columns_;
  bool named_ = false;  // whether users and items are found by the header's names
  std::vector<std::size_t> taken_;
};

}  // namespace

TableColumns find_columns(const TableSample& sample, const DataOptions& options,
                          const std::string& file) {
  return ColumnFinder(sample, options, file).find();
}

}  // namespace tern
