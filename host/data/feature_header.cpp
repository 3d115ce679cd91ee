#include "host/data/feature_header.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <unordered_set>
#include <utility>

#include "host/data/column_names.hpp"
#include "host/data/table_sample.hpp"
#include "host/data/text.hpp"
#include "host/support/message.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

/// Takes RecBole's type off a name.
FeatureKind take_kind(std::string& name) {
  for (const auto& [ending, kind] :
       {std::pair<std::string_view, FeatureKind>{":token", FeatureKind::kCategory},
        {":token_seq", FeatureKind::kWords},
        {":float", FeatureKind::kAny},
        {":float_seq", FeatureKind::kVector}}) {
    if (name.size() > ending.size() && name.ends_with(ending)) {
      name.resize(name.size() - ending.size());
      return kind;
    }
  }
  return FeatureKind::kAny;
}

/// Names of columns for people, which are ids only if nothing else is.
bool is_title(std::string_view name) {
  const std::string plain = plain_name(name);
  return plain.ends_with("title") || plain.ends_with("name");
}

bool is_known_name(Side side, std::string_view name) {
  const ColumnMeaning meaning = side == Side::kUser ? ColumnMeaning::kUser : ColumnMeaning::kItem;
  return !is_title(name) && rank_of_name(meaning, name) >= 0;
}

}  // namespace

FeatureHeader read_feature_header(std::string_view text, const std::string& file,
                                  const TableFormat& format) {
  RowReader reader(text, format, 0);
  std::vector<Field> fields;
  for_each_chunk(text, file, 1, [&](std::int64_t) { reader.next(fields); });
  const auto fail = [&](const std::string& message) {
    throw DataError(file, line_of(text, reader.row()), message);
  };
  if (fields.size() < 2) {
    fail(fmt::format(
        "the header has one column between {}s, expected an id and at least one feature",
        separator_name(format)));
  }
  FeatureHeader header;
  header.rows = reader.cursor();
  std::string scratch;
  std::unordered_set<std::string> seen;
  for (const Field& field : fields) {
    std::string name(field.value(scratch));
    header.kinds.push_back(take_kind(name));
    if ((name.empty() && !header.names.empty()) || parse_number(name)) {
      fail(fmt::format("the header has the column {}, expected names in the first row",
                       quote(name)));
    }
    if (!seen.insert(name).second) {
      fail(fmt::format("the header has the column {} twice", quote(name)));
    }
    header.names.push_back(std::move(name));
  }
  return header;
}

std::vector<double> shares_of_ids(std::string_view text, const std::string& file,
                                  const TableFormat& format, const Vocabulary& ids) {
  const TableSample sample = sample_rows(text, file, format);
  std::vector<double> shares;
  for (std::size_t c = 0; c < sample.rows.front().size(); ++c) {
    std::unordered_set<std::string_view> seen;
    std::size_t found = 0;
    for (std::size_t r = 1; r < sample.rows.size(); ++r) {
      if (c >= sample.rows[r].size()) continue;
      const std::string& value = sample.rows[r][c];
      if (!seen.insert(value).second) {
        found = 0;
        break;
      }
      if (!value.empty() && ids.find(value)) ++found;
    }
    const std::size_t rows = std::max<std::size_t>(sample.rows.size() - 1, 1);
    shares.push_back(static_cast<double>(found) / static_cast<double>(rows));
  }
  return shares;
}

std::size_t find_key(const FeatureHeader& header, Side side, const DataOptions& options,
                     const std::vector<double>& shares) {
  const std::string& asked = side == Side::kUser ? options.user_column : options.item_column;
  const auto is_asked = [&](std::size_t c) {
    return !asked.empty() && plain_name(header.names[c]) == plain_name(asked);
  };
  const auto is_known = [&](std::size_t c) { return is_known_name(side, header.names[c]); };
  const auto is_id = [&](std::size_t c) { return plain_name(header.names[c]) == "id"; };
  const auto no_title = [&](std::size_t c) { return !is_title(header.names[c]); };
  const auto any = [](std::size_t) { return true; };
  // The first such column with a share above this.
  const auto first = [&](const auto& fits, double share) -> std::optional<std::size_t> {
    for (std::size_t c = 0; c < header.names.size(); ++c) {
      if (fits(c) && shares[c] > share) return c;
    }
    return std::nullopt;
  };
  constexpr double kNone = -1.0;
  constexpr double kSome = 0.0;
  constexpr double kMost = 0.5;
  for (const std::optional<std::size_t>& found :
       {first(is_asked, kNone), first(is_known, kSome), first(is_id, kSome), first(no_title, kMost),
        first(no_title, kSome), first(any, kSome), first(is_known, kNone), first(is_id, kNone)}) {
    if (found) return *found;
  }
  return 0;
}

}  // namespace tern
