// The separator of a table: the one that divides the first rows into as many fields each.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "host/data/column_names.hpp"
#include "host/data/recognition.hpp"
#include "host/data/table_sample.hpp"
#include "host/data/text.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

constexpr TableFormat kColons{':', Separation::kDoubled, Quotes::kNone};
constexpr TableFormat kSemicolon{';', Separation::kOne, Quotes::kDouble};
constexpr TableFormat kPipe{'|', Separation::kOne, Quotes::kDouble};
constexpr TableFormat kBlanks{' ', Separation::kBlanks, Quotes::kNone};

struct Candidate {
  TableFormat format;
  std::size_t width = 0;  // the usual number of fields
  double share = 0.0;     // of the rows, that have it
  bool names_columns = false;

  bool divides_well() const {
    constexpr double kMostRows = 0.9;
    return width >= 2 && share >= kMostRows;
  }
};

bool names_both_sides(const std::vector<std::string>& row) {
  const auto names = [&](ColumnMeaning meaning) {
    return std::any_of(row.begin(), row.end(),
                       [&](const std::string& field) { return rank_of_name(meaning, field) >= 0; });
  };
  return names(ColumnMeaning::kUser) && names(ColumnMeaning::kItem);
}

Candidate judge(const TableSample& sample, const TableFormat& format) {
  Candidate candidate{format};
  std::map<std::size_t, std::size_t> widths;
  for (const std::vector<std::string>& row : sample.rows) ++widths[row.size()];
  std::size_t usual = 0;
  for (const auto& [width, count] : widths) {
    if (count < usual) continue;
    usual = count;
    candidate.width = width;
  }
  candidate.share = static_cast<double>(usual) / static_cast<double>(sample.rows.size());
  candidate.names_columns = names_both_sides(sample.rows.front());
  return candidate;
}

/// Divides the first rows. Quotes are read if the format always has them, or if a whole column does.
/// Nothing if the first row has an error.
std::optional<Candidate> divide(const InteractionText& text, TableFormat format) {
  try {
    if (format.quotes == Quotes::kNone &&
        beginning_of(text.bytes).find('"') != std::string_view::npos) {
      TableFormat with_quotes = format;
      with_quotes.quotes = Quotes::kDouble;
      const std::optional<Candidate> quoted = [&]() -> std::optional<Candidate> {
        try {
          const TableSample sample = sample_rows(text.bytes, text.file, with_quotes);
          if (sample.quoted_column) return judge(sample, with_quotes);
        } catch (const DataError&) {
          // Then quotes are parts of the fields.
        }
        return std::nullopt;
      }();
      if (quoted && quoted->divides_well()) return quoted;
    }
    return judge(sample_rows(text.bytes, text.file, format), format);
  } catch (const DataError&) {
    return std::nullopt;
  }
}

/// Whether blanks divide the rows into more fields than tabs, all of them numbers: "1 10<tab>5" has
/// mixed separators, not the id "1 10".
bool mixes_tabs_and_blanks(const InteractionText& text, const Candidate& tabs) {
  const std::optional<Candidate> blanks = divide(text, kBlanks);
  if (!blanks || !blanks->divides_well() || blanks->width <= tabs.width) return false;
  const TableSample sample = sample_rows(text.bytes, text.file, kBlanks);
  const std::size_t first = sample.rows.size() > 1 ? 1 : 0;  // the first row may be a header
  return std::all_of(sample.rows.begin() + static_cast<std::ptrdiff_t>(first), sample.rows.end(),
                     [](const std::vector<std::string>& row) {
                       return std::all_of(row.begin(), row.end(), [](const std::string& field) {
                         return parse_number(field).has_value();
                       });
                     });
}

TableFormat format_of(std::string_view name) {
  if (name == "tab") return TableFormat::kTsv;
  if (name == "comma") return TableFormat::kCsv;
  if (name == "semicolon") return kSemicolon;
  if (name == "pipe") return kPipe;
  if (name == "space" || name == " ") return kBlanks;
  if (name == "::") return kColons;
  if (name == "\t") return TableFormat::kTsv;
  return {name.front(), Separation::kOne, Quotes::kDouble};
}

[[noreturn]] void refuse_separators(const InteractionText& text, const TableFormat& one,
                                    const TableFormat& other) {
  throw DataError(
      text.file, 1,
      fmt::format("the lines can be divided by a {0} or by a {1}, into as many fields each; choose "
                  "with data.separator = {0} or data.separator = {1}",
                  separator_name(one), separator_name(other)));
}

/// Of several such as "1;2,5": the separator that gives more fields, or names users and items.
TableFormat best_of(const InteractionText& text, const std::vector<Candidate>& candidates) {
  std::vector<Candidate> best;
  for (const Candidate& candidate : candidates) {
    const auto rank = [](const Candidate& c) { return std::pair(c.names_columns, c.width); };
    if (!best.empty() && rank(candidate) < rank(best.front())) continue;
    if (!best.empty() && rank(candidate) > rank(best.front())) best.clear();
    best.push_back(candidate);
  }
  if (best.size() == 1) return best.front().format;
  if (text.by_name == SourceFormat::kCsv && best.front().format == TableFormat::kCsv) {
    return TableFormat::kCsv;
  }
  refuse_separators(text, best[0].format, best[1].format);
}

}  // namespace

TableFormat recognise_separator(const InteractionText& text, const DataOptions& options) {
  if (options.separator != "auto") {
    const TableFormat format = format_of(options.separator);
    const std::optional<Candidate> candidate = divide(text, format);
    return candidate ? candidate->format : format;
  }
  // Tabs and "::" are hardly ever parts of a field.
  std::optional<TableFormat> fallback;
  double best_share = 0.5;
  const auto note_share = [&](const Candidate& candidate) {
    if (candidate.width < 2 || candidate.share < best_share) return;
    if (fallback && candidate.share == best_share) return;
    fallback = candidate.format;
    best_share = candidate.share;
  };
  for (const TableFormat& format : {TableFormat::kTsv, kColons}) {
    const std::optional<Candidate> candidate = divide(text, format);
    if (candidate && candidate->divides_well()) {
      const bool mixed = format == TableFormat::kTsv && mixes_tabs_and_blanks(text, *candidate);
      return mixed ? kBlanks : candidate->format;
    }
    if (candidate) note_share(*candidate);
  }
  std::vector<Candidate> good;
  for (const TableFormat& format : {TableFormat::kCsv, kSemicolon, kPipe}) {
    const std::optional<Candidate> candidate = divide(text, format);
    if (candidate && candidate->divides_well()) good.push_back(*candidate);
    if (candidate) note_share(*candidate);
  }
  if (!good.empty()) return best_of(text, good);
  const bool named = text.by_name == SourceFormat::kCsv || text.by_name == SourceFormat::kTsv;
  const std::optional<Candidate> blanks = divide(text, kBlanks);
  if (blanks && blanks->divides_well() && !(named && fallback)) return blanks->format;
  // This is no clear table: the name, or the best division, decides what the reader reports.
  if (text.by_name == SourceFormat::kCsv) return TableFormat::kCsv;
  if (text.by_name == SourceFormat::kTsv) return TableFormat::kTsv;
  if (blanks) note_share(*blanks);
  if (fallback) return *fallback;
  throw DataError(text.file, 1,
                  "the format is not recognised: no tab, comma, semicolon, pipe, \"::\" or blank "
                  "divides the lines into as many fields each; an adjacency list has only integers "
                  "between blanks (data.format, data.separator)");
}

}  // namespace tern
