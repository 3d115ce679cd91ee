#include "host/data/interaction_table.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <utility>

#include "host/data/memory_budget.hpp"
#include "host/data/table_columns.hpp"
#include "host/data/text.hpp"
#include "host/support/message.hpp"
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
  std::int64_t blank_lines = 0;
};

/// Recognises "2020-01-31", "31/01/2020" or "12:30", common mistakes in timestamp columns.
bool looks_like_date(std::string_view text) {
  return text.size() >= 5 && text.find_first_of("-/:", 1) != std::string_view::npos &&
         text.find_first_not_of("0123456789-/:.+TZ ") == std::string_view::npos;
}

double read_number(std::string_view kind, const Field& field, const char* row,
                   std::string& scratch) {
  const std::string_view text = field.value(scratch);
  const std::optional<double> value = parse_number(text);
  if (value && std::isfinite(*value)) return *value;
  if (kind == "timestamp" && looks_like_date(text)) {
    throw TextError{row, fmt::format("timestamp {} is a date, expected a number that grows with "
                                     "time, such as seconds since 1970",
                                     quote(text))};
  }
  throw TextError{row, fmt::format("{0} {1} is not a finite number; if the column does not hold "
                                   "{0}s, set data.{0}_column to another, or to none",
                                   kind, quote(text))};
}

/// Throws if one side has more ids than data.max_nodes. Each chunk is checked on its own too, so
/// that an endless file is refused early.
void check_nodes(std::string_view kind, const Vocabulary& names, const DataOptions& options,
                 const std::string& file) {
  if (names.size() <= options.max_nodes) return;
  throw DataError(file, 0,
                  fmt::format("more {} than data.max_nodes = {} allows", kind, options.max_nodes));
}

NodeId add_name(Vocabulary& names, std::string_view id, MemoryMeter& meter) {
  const NodeId before = names.size();
  const NodeId node = names.add(id);
  if (node == before) meter.add(memory_of_name(id.size()));
  return node;
}

Part parse_part(std::string_view text, const std::string& file, TableFormat format,
                const TableColumns& columns, std::size_t num_fields, const DataOptions& options,
                MemoryBudget& budget) {
  Part part;
  MemoryMeter meter(budget);
  const std::int64_t pair_memory = kMemoryOfPair + (columns.timestamp ? 16 : 0);
  RowReader reader(text, format, num_fields);
  std::vector<Field> fields;
  std::string scratch;
  while (reader.next(fields)) {
    const char* row = reader.row();
    const NodeId user =
        add_name(part.users, id_value("user", fields[columns.user], row, scratch), meter);
    const NodeId item =
        add_name(part.items, id_value("item", fields[columns.item], row, scratch), meter);
    check_nodes("users", part.users, options, file);
    check_nodes("items", part.items, options, file);
    double rating = 0;
    double time = 0;
    if (columns.rating) rating = read_number("rating", fields[*columns.rating], row, scratch);
    if (columns.timestamp)
      time = read_number("timestamp", fields[*columns.timestamp], row, scratch);
    if (options.min_rating && rating < *options.min_rating) {
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

std::vector<std::string> row_values(const std::vector<Field>& fields) {
  std::vector<std::string> values;
  values.reserve(fields.size());
  std::string scratch;
  for (const Field& field : fields) values.emplace_back(field.value(scratch));
  return values;
}

/// The first rows of the text, and where the second begins.
struct Head {
  std::vector<std::string> first;
  std::vector<std::string> second;
  const char* first_row = nullptr;
  const char* rest = nullptr;
};

Head read_head(std::string_view text, const std::string& file, TableFormat format) {
  Head head;
  for_each_chunk(text, file, 1, [&](std::int64_t) {
    RowReader reader(text, format, 0);
    std::vector<Field> fields;
    reader.next(fields);
    head.first = row_values(fields);
    head.first_row = reader.row();
    head.rest = reader.cursor();
    if (reader.next(fields)) head.second = row_values(fields);
  });
  return head;
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
    table.blank_lines += parts[i].blank_lines;
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

}  // namespace

InteractionTable parse_interactions(std::string_view bytes, const std::string& file,
                                    TableFormat format, const DataOptions& options,
                                    Vocabulary& users, Vocabulary& items) {
  return parse_interactions(bytes, file, format, options, users, items, chunk_bytes_for(bytes),
                            MemoryBudget::for_text_of(bytes.size()));
}

InteractionTable parse_interactions(std::string_view bytes, const std::string& file,
                                    TableFormat format, const DataOptions& options,
                                    Vocabulary& users, Vocabulary& items, std::size_t chunk_bytes,
                                    std::int64_t memory) {
  const std::string_view text = checked_text(bytes, file);
  MemoryBudget budget(file, memory);
  const Head head = read_head(text, file, format);
  const TableColumns columns =
      find_columns(head.first, head.second, options, file, line_of(text, head.first_row));
  if (options.min_rating && !columns.rating) {
    throw ConfigError(
        fmt::format("{}: data.min_rating is set, but the table has no rating column ({})", file,
                    columns.description));
  }
  const char* begin = columns.header ? head.rest : text.data();
  const std::string_view rows(begin, static_cast<std::size_t>(text.data() + text.size() - begin));
  const std::vector<std::string_view> chunks = split_at_lines(rows, quotes_of(format), chunk_bytes);
  std::vector<Part> parts(chunks.size());
  for_each_chunk(text, file, static_cast<std::int64_t>(chunks.size()), [&](std::int64_t i) {
    parts[i] = parse_part(chunks[i], file, format, columns, head.first.size(), options, budget);
  });
  InteractionTable table = join(std::move(parts), options, file, users, items);
  table.columns = columns.description;
  return table;
}

}  // namespace tern
