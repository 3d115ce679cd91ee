#include "host/data/interaction_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "host/data/dates.hpp"
#include "host/data/feature_missing.hpp"
#include "host/data/json_lines.hpp"
#include "host/data/memory_budget.hpp"
#include "host/data/table_columns.hpp"
#include "host/data/table_sample.hpp"
#include "host/data/text.hpp"
#include "host/support/message.hpp"
#include "host/support/utf8.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

/// The content of one chunk, with its own numbering of ids.
struct Part {
  Vocabulary users;
  Vocabulary items;
  std::vector<Interaction> pairs;
  std::vector<double> times;
  std::int64_t below_min_rating = 0;
  std::int64_t missing_ratings = 0;
  std::int64_t repeated_headers = 0;
  std::int64_t blank_lines = 0;
  RatingRange ratings;
  const char* not_utf8 = nullptr;  // the first row with such an id
};

/// How the rows of all chunks are read.
struct Task {
  const std::string& file;
  TableColumns columns;
  const DataOptions& options;
  MemoryBudget& budget;
  /// The header's names of the two columns; empty without a header.
  std::string user_name = {};
  std::string item_name = {};

  DecimalComma comma() const {
    return columns.decimal_comma ? DecimalComma::kAllowed : DecimalComma::kRefused;
  }
};

double read_number(std::string_view kind, const Field& field, DecimalComma comma, const char* row,
                   std::string& scratch) {
  const std::string_view text = field.value(scratch);
  const std::optional<double> value = parse_number(text, comma);
  if (value && std::isfinite(*value)) return *value;
  if (kind == "timestamp" && looks_like_date(text)) {
    throw TextError{row, fmt::format("timestamp {} is a date of another form, expected a number "
                                     "that grows with time, such as seconds since 1970, or "
                                     "year-month-day in every row",
                                     quote(text))};
  }
  throw TextError{row, fmt::format("{0} {1} is not a finite number; if the column does not hold "
                                   "{0}s, set data.{0}_column to another, or to none",
                                   kind, quote(text))};
}

double read_time(const Field& field, const Task& task, const char* row, std::string& scratch) {
  if (!task.columns.dates) return read_number("timestamp", field, task.comma(), row, scratch);
  const std::string_view text = field.value(scratch);
  const std::optional<double> time = parse_date(text);
  if (time) return *time;
  throw TextError{row, fmt::format("timestamp {} is not a date, expected one as in the first rows, "
                                   "such as 2018-09-20 10:00:00; or set data.timestamp_column to "
                                   "another, or to none",
                                   quote(text))};
}

/// Throws if one side has more ids than data.max_nodes. Each chunk is checked on its own too, so
/// that an endless file is refused early.
void check_nodes(std::string_view kind, const Vocabulary& names, const DataOptions& options,
                 const std::string& file) {
  if (names.size() <= options.max_nodes) return;
  throw DataError(file, 0,
                  fmt::format("more {} than data.max_nodes = {} allows", kind, options.max_nodes));
}

NodeId add_name(Vocabulary& names, std::string_view id, Part& part, const char* row,
                MemoryMeter& meter) {
  const NodeId before = names.size();
  const NodeId node = names.add(id);
  if (node < before) return node;
  meter.add(memory_of_name(id.size()));
  if (part.not_utf8 == nullptr && !is_utf8(id)) part.not_utf8 = row;
  return node;
}

template <typename Reader>
Part parse_part(Reader reader, const Task& task) {
  Part part;
  const TableColumns& columns = task.columns;
  MemoryMeter meter(task.budget);
  const std::int64_t pair_memory = kMemoryOfPair + (columns.timestamp ? 16 : 0);
  std::vector<Field> fields;
  std::string scratch;
  while (reader.next(fields)) {
    const char* row = reader.row();
    if (!task.user_name.empty() && fields[columns.user].text == task.user_name &&
        fields[columns.item].text == task.item_name) {
      ++part.repeated_headers;
      continue;
    }
    const NodeId user = add_name(part.users, id_value("user", fields[columns.user], row, scratch),
                                 part, row, meter);
    const NodeId item = add_name(part.items, id_value("item", fields[columns.item], row, scratch),
                                 part, row, meter);
    check_nodes("users", part.users, task.options, task.file);
    check_nodes("items", part.items, task.options, task.file);
    double rating = 0;
    double time = 0;
    const bool unrated = columns.rating && is_missing(fields[*columns.rating].value(scratch));
    if (unrated) {
      ++part.missing_ratings;
      if (task.options.min_rating) continue;
    } else if (columns.rating) {
      rating = read_number("rating", fields[*columns.rating], task.comma(), row, scratch);
      part.ratings.add(rating);
    }
    if (columns.timestamp) time = read_time(fields[*columns.timestamp], task, row, scratch);
    if (task.options.min_rating && rating < *task.options.min_rating) {
      ++part.below_min_rating;
      continue;
    }
    meter.add(pair_memory);
    part.pairs.push_back({user, item});
    if (columns.timestamp) part.times.push_back(time);
  }
  meter.settle();
  part.blank_lines = reader.blank_lines();
  return part;
}

/// Throws at ids that are not UTF-8: written as JSON, two of them could become one.
void check_encoding(const std::vector<Part>& parts, std::string_view text,
                    const std::string& file) {
  const auto first = std::find_if(parts.begin(), parts.end(),
                                  [](const Part& part) { return part.not_utf8 != nullptr; });
  if (first == parts.end()) return;
  std::set<std::string> names;
  for (const Part& part : parts) {
    if (part.not_utf8 == nullptr) continue;
    for (const Vocabulary* side : {&part.users, &part.items}) {
      for (NodeId id = 0; id < side->size(); ++id) {
        std::string name = side->name(id);
        if (!is_utf8(name)) names.insert(std::move(name));
      }
    }
  }
  throw DataError(
      file, line_of(text, first->not_utf8),
      fmt::format("an id is not UTF-8; such ids in the file: {}, for example {}; set "
                  "data.encoding = latin-1 if the file is in Latin-1, or convert it, for "
                  "example with iconv -f WINDOWS-1252 -t UTF-8",
                  names.size(), quote(*names.begin())));
}

/// Joins the parts in order, renumbered by the two vocabularies.
InteractionTable join(std::vector<Part> parts, const DataOptions& options, const std::string& file,
                      Vocabulary& users, Vocabulary& items) {
  std::vector<std::vector<NodeId>> user_ids(parts.size());
  std::vector<std::vector<NodeId>> item_ids(parts.size());
  parallel_for(2, [&](std::int64_t side) {
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (side == 0) {
        user_ids[i] = users.add_all(std::exchange(parts[i].users, {}));
        check_nodes("users", users, options, file);
      } else {
        item_ids[i] = items.add_all(std::exchange(parts[i].items, {}));
        check_nodes("items", items, options, file);
      }
    }
  });
  InteractionTable table;
  std::vector<std::size_t> first(parts.size() + 1, 0);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    first[i + 1] = first[i] + parts[i].pairs.size();
    table.below_min_rating += parts[i].below_min_rating;
    table.missing_ratings += parts[i].missing_ratings;
    table.repeated_headers += parts[i].repeated_headers;
    table.blank_lines += parts[i].blank_lines;
    table.ratings.add(parts[i].ratings);
    table.has_times = table.has_times || !parts[i].times.empty();
  }
  table.pairs.resize(first.back());
  table.times.resize(table.has_times ? first.back() : 0);
  parallel_for(static_cast<std::int64_t>(parts.size()), [&](std::int64_t i) {
    Interaction* pair = table.pairs.data() + first[i];
    for (const auto& [user, item] : parts[i].pairs)
      *pair++ = {user_ids[i][user], item_ids[i][item]};
    std::copy(parts[i].times.begin(), parts[i].times.end(),
              table.has_times ? table.times.data() + first[i] : nullptr);
    parts[i] = {};
  });
  return table;
}

/// Reads the chunks of the rows; make_reader(chunk) makes a reader of one.
template <typename MakeReader>
InteractionTable parse_rows(std::string_view text, std::string_view rows, Quotes quotes,
                            std::size_t chunk_bytes, const Task& task,
                            const MakeReader& make_reader, Vocabulary& users, Vocabulary& items) {
  if (task.options.min_rating && !task.columns.rating) {
    throw ConfigError(
        fmt::format("{}: data.min_rating is set, but the table has no rating column ({})",
                    task.file, task.columns.description));
  }
  const std::vector<std::string_view> chunks = split_at_lines(rows, quotes, chunk_bytes);
  std::vector<Part> parts(chunks.size());
  for_each_chunk(text, task.file, static_cast<std::int64_t>(chunks.size()), [&](std::int64_t i) {
    parts[static_cast<std::size_t>(i)] =
        parse_part(make_reader(chunks[static_cast<std::size_t>(i)]), task);
  });
  check_encoding(parts, text, task.file);
  InteractionTable table = join(std::move(parts), task.options, task.file, users, items);
  table.columns = task.columns.description;
  table.warnings = task.columns.warnings;
  return table;
}

/// Keeps only the keys that are read, in this order: user, item, rating, timestamp.
std::vector<std::string> choose_keys(const std::vector<std::string>& header,
                                     TableColumns& columns) {
  std::vector<std::string> keys{header[columns.user], header[columns.item]};
  columns.user = 0;
  columns.item = 1;
  for (std::optional<std::size_t>* column : {&columns.rating, &columns.timestamp}) {
    if (!*column) continue;
    keys.push_back(header[**column]);
    *column = keys.size() - 1;
  }
  return keys;
}

}  // namespace

InteractionTable parse_interactions(std::string_view bytes, const std::string& file,
                                    const RowFormat& format, const DataOptions& options,
                                    Vocabulary& users, Vocabulary& items) {
  return parse_interactions(bytes, file, format, options, users, items, chunk_bytes_for(bytes),
                            MemoryBudget::for_text_of(bytes.size()));
}

InteractionTable parse_interactions(std::string_view bytes, const std::string& file,
                                    const RowFormat& format, const DataOptions& options,
                                    Vocabulary& users, Vocabulary& items, std::size_t chunk_bytes,
                                    std::int64_t memory) {
  const std::string_view text = checked_text(bytes, file);
  MemoryBudget budget(file, memory);
  if (std::holds_alternative<JsonLines>(format)) {
    const TableSample sample = sample_json_lines(text, file);
    DataOptions with_header = options;
    with_header.header = HeaderRow::kYes;
    Task task{file, find_columns(sample, with_header, file), options, budget};
    const std::vector<std::string> keys = choose_keys(sample.rows.front(), task.columns);
    const auto reader = [&](std::string_view chunk) { return JsonRowReader(chunk, keys); };
    return parse_rows(text, text, Quotes::kNone, chunk_bytes, task, reader, users, items);
  }
  const TableFormat& table = std::get<TableFormat>(format);
  const TableSample sample = sample_rows(text, file, table);
  Task task{file, find_columns(sample, options, file), options, budget};
  if (task.columns.header) {
    task.user_name = sample.rows.front()[task.columns.user];
    task.item_name = sample.rows.front()[task.columns.item];
  }
  const char* begin = task.columns.header ? sample.rest : text.data();
  const std::string_view rows(begin, static_cast<std::size_t>(text.data() + text.size() - begin));
  const std::size_t num_fields = sample.rows.front().size();
  const auto reader = [&](std::string_view chunk) { return RowReader(chunk, table, num_fields); };
  return parse_rows(text, rows, table.quotes, chunk_bytes, task, reader, users, items);
}

}  // namespace tern
