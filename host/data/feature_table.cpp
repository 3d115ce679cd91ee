// Three parallel passes over the text. The first finds the rows that belong to nodes and the columns
// that are numeric, the second the values of the other columns, the third fills in the features.
// Parsing again is cheaper than keeping parsed fields, and needs no memory besides text and result.

#include "host/data/feature_table.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <numeric>
#include <unordered_set>

#include "host/data/memory_budget.hpp"
#include "host/data/text.hpp"
#include "host/support/message.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

constexpr char kDivider = '|';

/// Calls use(value) for every value of a categorical field.
template <typename Use>
void for_each_value(std::string_view field, const Use& use) {
  while (!field.empty()) {
    const std::size_t stop = field.find(kDivider);
    const std::string_view value = field.substr(0, stop);
    if (!value.empty()) use(value);
    field.remove_prefix(stop == std::string_view::npos ? field.size() : stop + 1);
  }
}

/// A column of the table. It becomes one column of features if numeric, else one for each value.
struct Column {
  std::string name;
  bool numeric = true;
  const char* not_finite = nullptr;  // the first row with such a number
  Vocabulary values;
  std::int64_t begin = 0;  // index of the first of its columns among all
  std::int64_t width = 1;
};

class FeatureTable {
 public:
  FeatureTable(std::string_view text, const std::string& file, TableFormat format,
               const Vocabulary& names)
      : text_(text), file_(file), format_(format), names_(names) {}

  Features parse(std::size_t chunk_bytes, const DataOptions& options,
                 const std::unordered_set<std::string>& categories,
                 std::vector<std::string>& notes);

 private:
  void read_header();
  void cut(std::size_t chunk_bytes);
  void find_kinds(const std::unordered_set<std::string>& categories);
  void find_values();
  void lay_out(std::int64_t max_bytes);
  Features fill() const;
  void describe(std::vector<std::string>& notes) const;

  struct Row {
    NodeId node = 0;
    const char* where = nullptr;
  };
  /// Findings of the first pass in a chunk.
  struct Found {
    std::vector<Row> rows;
    std::int64_t unknown = 0;
    std::vector<char> not_number;
    std::vector<const char*> not_finite;
  };

  /// Calls use(node, fields, row) for every row of chunk i whose id belongs to a node. Returns the
  /// number of other rows.
  template <typename Use>
  std::int64_t for_each_row(std::int64_t i, const Use& use) const;
  std::int64_t num_chunks() const { return static_cast<std::int64_t>(chunks_.size()); }
  void count_rows(const std::vector<Found>& found);

  std::string_view text_;
  const std::string& file_;
  TableFormat format_;
  const Vocabulary& names_;
  std::vector<Column> columns_;  // without the key
  std::vector<std::string_view> chunks_;
  const char* rows_begin_ = nullptr;
  std::int64_t num_rows_ = 0;
  std::int64_t unknown_ = 0;
  std::int64_t width_ = 0;
};

Features FeatureTable::parse(std::size_t chunk_bytes, const DataOptions& options,
                             const std::unordered_set<std::string>& categories,
                             std::vector<std::string>& notes) {
  read_header();
  cut(chunk_bytes);
  find_kinds(categories);
  find_values();
  lay_out(options.max_feature_bytes);
  Features features = fill();
  describe(notes);
  return features;
}

void FeatureTable::read_header() {
  RowReader reader(text_, format_, 0);
  std::vector<Field> fields;
  for_each_chunk(text_, file_, 1, [&](std::int64_t) { reader.next(fields); });
  rows_begin_ = reader.cursor();
  const auto fail = [&](const std::string& message) {
    throw DataError(file_, line_of(text_, reader.row()), message);
  };
  if (fields.size() < 2) {
    fail("the header has one column, expected an id and at least one feature");
  }
  std::string scratch;
  std::unordered_set<std::string> seen;
  for (const Field& field : fields) {
    const std::string name(field.value(scratch));
    if (name.empty() || parse_number(name)) {
      fail(fmt::format("the header has the column {}, expected names in the first row",
                       quote(name)));
    }
    if (!seen.insert(name).second) {
      fail(fmt::format("the header has the column {} twice", quote(name)));
    }
    columns_.emplace_back();
    columns_.back().name = name;
  }
  columns_.erase(columns_.begin());  // the key
}

void FeatureTable::cut(std::size_t chunk_bytes) {
  // Each chunk keeps data for every column: the more columns, the fewer chunks.
  constexpr std::size_t kBytesAColumn = 256;
  if (chunk_bytes >= chunk_bytes_for({})) {
    chunk_bytes = std::max(chunk_bytes, kBytesAColumn * columns_.size());
  }
  const auto left = static_cast<std::size_t>(text_.data() + text_.size() - rows_begin_);
  chunks_ = split_at_lines({rows_begin_, left}, quotes_of(format_), chunk_bytes);
}

template <typename Use>
std::int64_t FeatureTable::for_each_row(std::int64_t i, const Use& use) const {
  RowReader reader(chunks_[i], format_, columns_.size() + 1);
  std::vector<Field> fields;
  std::string scratch;
  std::int64_t unknown = 0;
  while (reader.next(fields)) {
    const std::string_view id = fields[0].value(scratch);
    if (id.empty()) throw TextError{reader.row(), "id is empty, expected at least one byte"};
    if (const std::optional<NodeId> node = names_.find(id)) {
      use(*node, fields, reader.row());
    } else {
      ++unknown;
    }
  }
  return unknown;
}

void FeatureTable::find_kinds(const std::unordered_set<std::string>& categories) {
  std::vector<Found> found(chunks_.size());
  for_each_chunk(text_, file_, num_chunks(), [&](std::int64_t i) {
    Found& chunk = found[i];
    chunk.not_number.assign(columns_.size(), 0);
    chunk.not_finite.assign(columns_.size(), nullptr);
    std::string scratch;
    chunk.unknown = for_each_row(i, [&](NodeId node, const std::vector<Field>& fields,
                                        const char* row) {
      chunk.rows.push_back({node, row});
      for (std::size_t c = 0; c < columns_.size(); ++c) {
        if (chunk.not_number[c] != 0) continue;
        const std::string_view value = fields[c + 1].value(scratch);
        if (value.empty()) continue;
        const std::optional<double> number = parse_number(value);
        if (!number) {
          chunk.not_number[c] = 1;
        } else if (!std::isfinite(static_cast<float>(*number)) && chunk.not_finite[c] == nullptr) {
          chunk.not_finite[c] = row;
        }
      }
    });
  });
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    for (const Found& chunk : found) {
      if (chunk.not_number[c] != 0) columns_[c].numeric = false;
      if (columns_[c].not_finite == nullptr) columns_[c].not_finite = chunk.not_finite[c];
    }
  }
  for (Column& column : columns_) {
    if (categories.contains(column.name)) column.numeric = false;
  }
  count_rows(found);
  for (const Column& column : columns_) {
    if (column.numeric && column.not_finite != nullptr) {
      throw DataError(file_, line_of(text_, column.not_finite),
                      fmt::format("column {} has a number that is not finite in 32 bits, expected "
                                  "a finite number, or an empty field for a missing one",
                                  quote(column.name)));
    }
  }
}

void FeatureTable::count_rows(const std::vector<Found>& found) {
  std::vector<char> seen(static_cast<std::size_t>(names_.size()), 0);
  for (const Found& chunk : found) {
    unknown_ += chunk.unknown;
    num_rows_ += static_cast<std::int64_t>(chunk.rows.size());
    for (const Row& row : chunk.rows) {
      if (seen[row.node] != 0) {
        throw DataError(file_, line_of(text_, row.where),
                        fmt::format("id {} has a second row, expected one row an id",
                                    quote(names_.name(row.node))));
      }
      seen[row.node] = 1;
    }
  }
}

void FeatureTable::find_values() {
  MemoryBudget budget(file_, MemoryBudget::for_text_of(text_.size()));
  std::vector<std::vector<Vocabulary>> values(chunks_.size());
  for_each_chunk(text_, file_, num_chunks(), [&](std::int64_t i) {
    values[i].resize(columns_.size());
    std::string scratch;
    MemoryMeter meter(budget);
    for_each_row(i, [&](NodeId, const std::vector<Field>& fields, const char* row) {
      for (std::size_t c = 0; c < columns_.size(); ++c) {
        if (columns_[c].numeric) continue;
        for_each_value(fields[c + 1].value(scratch), [&](std::string_view value) {
          if (value.find_first_of("\t\n") != std::string_view::npos) {
            throw TextError{row, fmt::format("column {} has the value {}, expected no tabs or "
                                             "line ends",
                                             quote(columns_[c].name), quote(value))};
          }
          Vocabulary& known = values[i][c];
          const NodeId before = known.size();
          if (known.add(value) == before) meter.add(memory_of_name(value.size()));
        });
      }
    });
  });
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    for (const std::vector<Vocabulary>& chunk : values) {
      columns_[c].values.add_all(chunk[c]);
    }
  }
}

/// Gives every column its place. Values are sorted, so that the features do not depend on the order
/// of rows.
void FeatureTable::lay_out(std::int64_t max_bytes) {
  const Column* widest = &columns_.front();
  for (Column& column : columns_) {
    column.begin = width_;
    if (!column.numeric) column.width = column.values.size();
    width_ += column.width;
    if (column.width > widest->width) widest = &column;
  }
  double bytes = static_cast<double>(width_) * names_.size() * sizeof(float);
  // Each name of a value's column begins with the column's name.
  for (const Column& column : columns_) {
    bytes += static_cast<double>(column.width) * static_cast<double>(column.name.size());
  }
  if (bytes > static_cast<double>(max_bytes)) {
    throw DataError(file_, 0,
                    fmt::format("the features would be {} columns wide and take {:.3g} bytes, more "
                                "than data.max_feature_bytes = {}; the column {} alone has {} "
                                "values: remove columns "
                                "that are not categories",
                                width_, bytes, max_bytes, quote(widest->name), widest->width));
  }
  require_memory(static_cast<std::uint64_t>(bytes), file_);
  for (Column& column : columns_) {
    if (column.numeric) continue;
    std::vector<std::string> values;
    values.reserve(static_cast<std::size_t>(column.values.size()));
    for (NodeId id = 0; id < column.values.size(); ++id) values.push_back(column.values.name(id));
    std::vector<NodeId> order(values.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(),
              [&](NodeId a, NodeId b) { return values[a] < values[b]; });
    column.values = column.values.subset(order);
  }
}

Features FeatureTable::fill() const {
  Features features;
  for (const Column& column : columns_) {
    if (column.numeric) features.names.push_back(column.name);
    for (NodeId id = 0; id < column.values.size(); ++id) {
      features.names.push_back(fmt::format("{}={}", column.name, column.values.name(id)));
    }
  }
  features.values.resize(static_cast<std::size_t>(names_.size()) *
                         static_cast<std::size_t>(width_));
  for_each_chunk(text_, file_, num_chunks(), [&](std::int64_t i) {
    std::string scratch;
    for_each_row(i, [&](NodeId node, const std::vector<Field>& fields, const char*) {
      float* row = features.values.data() + static_cast<std::int64_t>(node) * width_;
      for (std::size_t c = 0; c < columns_.size(); ++c) {
        const Column& column = columns_[c];
        const std::string_view value = fields[c + 1].value(scratch);
        if (column.numeric) {
          row[column.begin] = static_cast<float>(parse_number(value).value_or(0.0));
        } else {
          for_each_value(value, [&](std::string_view one) {
            row[column.begin + *column.values.find(one)] = 1.0F;
          });
        }
      }
    });
  });
  return features;
}

void FeatureTable::describe(std::vector<std::string>& notes) const {
  std::vector<std::string> parts;
  for (const Column& column : columns_) {
    parts.push_back(column.numeric
                        ? fmt::format("{} (numbers)", in_message(column.name))
                        : fmt::format("{} ({} values)", in_message(column.name), column.width));
  }
  const std::string file = std::filesystem::path(file_).filename().string();
  constexpr std::size_t kMax = 8;
  const std::size_t shown = std::min(kMax, parts.size());
  notes.push_back(fmt::format(
      "{}: columns of features: {}, nodes with a row: {}; {}{}.", file, width_, num_rows_,
      fmt::join(parts.begin(), parts.begin() + shown, ", "), parts.size() > kMax ? ", ..." : ""));
  if (unknown_ > 0) {
    notes.push_back(
        fmt::format("{}: rows of ids that are not in the data, left out: {}.", file_, unknown_));
  }
  if (num_rows_ < names_.size()) {
    notes.push_back(fmt::format("{}: nodes without a row, whose features are zeros: {}.", file,
                                names_.size() - num_rows_));
  }
}

}  // namespace

Features parse_feature_table(std::string_view bytes, const std::string& file, TableFormat format,
                             const Vocabulary& names, const DataOptions& options,
                             std::vector<std::string>& notes, std::size_t chunk_bytes,
                             const std::unordered_set<std::string>& categories) {
  if (chunk_bytes == 0) chunk_bytes = chunk_bytes_for(bytes);
  FeatureTable table(checked_text(bytes, file), file, format, names);
  return table.parse(chunk_bytes, options, categories, notes);
}

}  // namespace tern
