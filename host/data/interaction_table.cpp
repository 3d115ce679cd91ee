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

/// The content of one chunk. An id that no earlier block has is -1 - n, n being its place among the new names
/// of the chunk.
struct Part {
  Vocabulary new_users;
  Vocabulary new_items;
  std::vector<Interaction> pairs;
  std::vector<double> times;
  std::int64_t below_min_rating = 0;
  std::int64_t missing_ratings = 0;
  std::int64_t repeated_headers = 0;
  std::int64_t blank_lines = 0;
  RatingRange ratings;
  const char* not_utf8 = nullptr;  // the first row with such an id
};

/// The names of the blocks before.
struct Names {
  Vocabulary& users;
  Vocabulary& items;
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

/// Most names occurred in an earlier block: looking them up needs no lock, so that all threads share it.
NodeId add_name(const Vocabulary& known, Vocabulary& added, std::string_view id, Part& part,
                const char* row, MemoryMeter& meter) {
  if (const std::optional<NodeId> node = known.find(id)) return *node;
  const NodeId before = added.size();
  const NodeId node = added.add(id);
  if (node == before) {
    meter.add(memory_of_name(id.size()));
    if (part.not_utf8 == nullptr && !is_utf8(id)) part.not_utf8 = row;
  }
  return -1 - node;
}

template <typename Reader>
Part parse_part(Reader reader, const Task& task, const Names& known) {
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
    const NodeId user =
        add_name(known.users, part.new_users, id_value("user", fields[columns.user], row, scratch),
                 part, row, meter);
    const NodeId item =
        add_name(known.items, part.new_items, id_value("item", fields[columns.item], row, scratch),
                 part, row, meter);
    check_nodes("users", part.new_users, task.options, task.file);
    check_nodes("items", part.new_items, task.options, task.file);
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

/// Throws at ids that are not UTF-8: written as JSON, two of them could become one. line: of the first one;
/// 0 if there is none.
void check_encoding(std::int64_t line, const std::string& file, const Names& names) {
  if (line == 0) return;
  std::set<std::string> faulty;
  for (const Vocabulary* side : {&names.users, &names.items}) {
    for (NodeId id = 0; id < side->size(); ++id) {
      std::string name = side->name(id);
      if (!is_utf8(name)) faulty.insert(std::move(name));
    }
  }
  throw DataError(
      file, line,
      fmt::format("an id is not UTF-8; such ids in the file: {}, for example {}; set "
                  "data.encoding = latin-1 if the file is in Latin-1, or convert it, for "
                  "example with iconv -f WINDOWS-1252 -t UTF-8",
                  faulty.size(), quote(*faulty.begin())));
}

/// Appends the parts of a block in order, and adds their new names.
void join_rows(std::vector<Part>& parts, const Task& task, const Names& names,
               InteractionTable& table) {
  std::vector<std::vector<NodeId>> user_ids(parts.size());
  std::vector<std::vector<NodeId>> item_ids(parts.size());
  parallel_for(2, [&](std::int64_t side) {
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (side == 0) {
        user_ids[i] = names.users.add_all(std::exchange(parts[i].new_users, {}));
        check_nodes("users", names.users, task.options, task.file);
      } else {
        item_ids[i] = names.items.add_all(std::exchange(parts[i].new_items, {}));
        check_nodes("items", names.items, task.options, task.file);
      }
    }
  });
  std::vector<std::size_t> first(parts.size() + 1, table.pairs.size());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    first[i + 1] = first[i] + parts[i].pairs.size();
    table.below_min_rating += parts[i].below_min_rating;
    table.missing_ratings += parts[i].missing_ratings;
    table.repeated_headers += parts[i].repeated_headers;
    table.blank_lines += parts[i].blank_lines;
    table.ratings.add(parts[i].ratings);
  }
  table.pairs.append(first.back() - table.pairs.size());
  if (task.columns.timestamp) table.times.append(first.back() - table.times.size());
  table.has_times = !table.times.empty();
  parallel_for(static_cast<std::int64_t>(parts.size()), [&](std::int64_t i) {
    Part& part = parts[i];
    const auto id_of = [](NodeId node, const std::vector<NodeId>& added) {
      return node >= 0 ? node : added[static_cast<std::size_t>(-1 - node)];
    };
    Interaction* pair = table.pairs.data() + first[i];
    for (const auto& [user, item] : part.pairs) {
      *pair++ = {id_of(user, user_ids[i]), id_of(item, item_ids[i])};
    }
    if (table.has_times) {
      std::copy(part.times.begin(), part.times.end(), table.times.data() + first[i]);
    }
    part = {};
  });
}

/// Reads the rows that are left; make_reader(chunk) makes a reader of a chunk.
template <typename MakeReader>
InteractionTable parse_rows(TextBlocks& text, Quotes quotes, std::size_t chunk_bytes,
                            const Task& task, const MakeReader& make_reader, const Names& names) {
  if (task.options.min_rating && !task.columns.rating) {
    throw ConfigError(
        fmt::format("{}: data.min_rating is set, but the table has no rating column ({})",
                    task.file, task.columns.description));
  }
  InteractionTable table;
  std::vector<Part> parts;
  std::int64_t not_utf8 = 0;
  for (std::string_view rows; !(rows = text.rows(quotes)).empty(); text.advance(rows.size())) {
    for_each_chunk(
        text, rows, quotes, chunk_bytes, [&](std::size_t chunks) { parts.resize(chunks); },
        [&](std::string_view chunk, std::size_t i) {
          parts[i] = parse_part(make_reader(chunk), task, names);
        });
    for (const Part& part : parts) {
      if (not_utf8 == 0 && part.not_utf8 != nullptr) not_utf8 = text.line_of(part.not_utf8);
    }
    join_rows(parts, task, names, table);
  }
  check_encoding(not_utf8, task.file, names);
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

InteractionTable parse_table(TextBlocks& text, const RowFormat& format, const DataOptions& options,
                             std::size_t chunk_bytes, std::int64_t memory, const Names& names) {
  const std::string& file = text.file();
  const std::string_view head = text.head();
  MemoryBudget budget(file, memory);
  if (std::holds_alternative<JsonLines>(format)) {
    const TableSample sample = sample_json_lines(head, file);
    DataOptions with_header = options;
    with_header.header = HeaderRow::kYes;
    Task task{file, find_columns(sample, with_header, file), options, budget};
    const std::vector<std::string> keys = choose_keys(sample.rows.front(), task.columns);
    const auto reader = [&](std::string_view chunk) { return JsonRowReader(chunk, keys); };
    return parse_rows(text, Quotes::kNone, chunk_bytes, task, reader, names);
  }
  const TableFormat& table = std::get<TableFormat>(format);
  const TableSample sample = sample_rows(head, file, table);
  Task task{file, find_columns(sample, options, file), options, budget};
  if (task.columns.header) {
    task.user_name = sample.rows.front()[task.columns.user];
    task.item_name = sample.rows.front()[task.columns.item];
    text.advance(static_cast<std::size_t>(sample.rest - head.data()));
  }
  const std::size_t num_fields = sample.rows.front().size();
  const auto reader = [&](std::string_view chunk) { return RowReader(chunk, table, num_fields); };
  return parse_rows(text, table.quotes, chunk_bytes, task, reader, names);
}

}  // namespace

InteractionTable parse_interactions(TextBlocks& text, const RowFormat& format,
                                    const DataOptions& options, Vocabulary& users,
                                    Vocabulary& items) {
  return parse_table(text, format, options, kChunkBytes,
                     MemoryBudget::for_text_of(text.bytes_in_memory()), {users, items});
}

InteractionTable parse_interactions(std::string_view bytes, const std::string& file,
                                    const RowFormat& format, const DataOptions& options,
                                    Vocabulary& users, Vocabulary& items) {
  TextBlocks text(std::make_unique<MemoryStream>(bytes), file);
  return parse_interactions(text, format, options, users, items);
}

InteractionTable parse_interactions(std::string_view bytes, const std::string& file,
                                    const RowFormat& format, const DataOptions& options,
                                    Vocabulary& users, Vocabulary& items, std::size_t chunk_bytes,
                                    std::int64_t memory) {
  constexpr std::size_t kChunks = 3;
  TextBlocks text(std::make_unique<MemoryStream>(bytes), file, TextEncoding::kUtf8,
                  kChunks * chunk_bytes);
  return parse_table(text, format, options, chunk_bytes, memory, {users, items});
}

}  // namespace tern
