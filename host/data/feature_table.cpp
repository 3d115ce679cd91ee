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

#include "host/data/feature_columns.hpp"
#include "host/data/feature_header.hpp"
#include "host/data/feature_missing.hpp"
#include "host/data/feature_rows.hpp"
#include "host/data/memory_budget.hpp"
#include "host/data/text.hpp"
#include "host/support/message.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

class FeatureTable {
 public:
  FeatureTable(std::string_view text, const std::string& file, const FeatureTableTask& task,
               const Vocabulary& names)
      : text_(text), file_(file), task_(task), format_(task.format), names_(names) {}

  Features parse(const DataOptions& options, std::vector<std::string>& notes);

 private:
  void read_header(const DataOptions& options);
  void add_column(const std::string& name, FeatureKind kind, std::size_t field);
  void cut(std::size_t chunk_bytes);
  void find_kinds();
  void find_values();
  void check_categories(std::int64_t most) const;
  void lay_out(std::int64_t max_bytes);
  Features fill() const;
  void describe(std::vector<std::string>& notes) const;

  struct Row {
    NodeId node = 0;
    const char* where = nullptr;
  };
  /// Rows of other ids.
  struct Unknown {
    std::int64_t count = 0;
    std::string example;
  };
  /// Findings of the first pass in a chunk.
  struct Found {
    std::vector<Row> rows;
    Unknown unknown;
    std::vector<std::int64_t> missing;
    std::vector<char> not_number;
    std::vector<const char*> not_finite;
  };

  /// Calls use(node, fields, row) for every row of chunk i whose id belongs to a node. Returns the
  /// other rows.
  template <typename Use>
  Unknown for_each_row(std::int64_t i, const Use& use) const;
  /// Excel writes decimal commas if semicolons separate the columns.
  std::optional<double> number_in(std::string_view value) const {
    return parse_number(value,
                        format_.separator == ';' ? DecimalComma::kAllowed : DecimalComma::kRefused);
  }
  std::int64_t num_chunks() const { return static_cast<std::int64_t>(chunks_.size()); }
  void count_rows(const std::vector<Found>& found);

  std::string_view text_;
  const std::string& file_;
  const FeatureTableTask& task_;
  TableFormat format_;
  const Vocabulary& names_;
  std::size_t num_fields_ = 0;
  std::size_t key_ = 0;
  std::string key_name_;
  std::vector<FeatureColumn> columns_;  // without the key
  std::vector<std::string> skipped_;    // names of columns that are not read
  std::vector<std::string_view> chunks_;
  const char* rows_begin_ = nullptr;
  std::vector<char> has_row_;  // by node
  std::int64_t num_rows_ = 0;
  Unknown unknown_;
  std::int64_t width_ = 0;
};

Features FeatureTable::parse(const DataOptions& options, std::vector<std::string>& notes) {
  read_header(options);
  cut(task_.chunk_bytes == 0 ? chunk_bytes_for(text_) : task_.chunk_bytes);
  find_kinds();
  find_values();
  check_categories(options.max_categories);
  lay_out(options.max_feature_bytes);
  Features features = fill();
  describe(notes);
  for (const FeatureColumn& column : columns_) {
    if (task_.known != nullptr || !column.numeric || column.missing == 0) continue;
    fill_missing(features, column.begin, has_row_);
  }
  return features;
}

void FeatureTable::read_header(const DataOptions& options) {
  const FeatureHeader header = read_feature_header(text_, file_, format_);
  num_fields_ = header.names.size();
  rows_begin_ = header.rows;
  key_ = task_.key
             ? *task_.key
             : find_key(header, task_.side, options, find_evidence(text_, file_, format_, names_));
  key_name_ = header.names[key_];
  for (std::size_t c = 0; c < num_fields_; ++c) {
    if (c != key_) add_column(header.names[c], header.kinds[c], c);
  }
  if (columns_.empty()) {
    throw DataError(file_, 0,
                    fmt::format("no column of features besides the ids in {}: not read: {}",
                                quote(key_name_), fmt::join(skipped_, ", ")));
  }
}

void FeatureTable::add_column(const std::string& name, FeatureKind kind, std::size_t field) {
  const bool unknown = task_.known != nullptr && !task_.known->names.contains(name);
  if (name.empty() || kind == FeatureKind::kVector || unknown) {
    skipped_.push_back(name.empty() ? "the first one, without a name" : in_message(name));
    return;
  }
  FeatureColumn& column = columns_.emplace_back();
  column.name = name;
  column.field = field;
  column.numeric = kind == FeatureKind::kAny &&
                   (task_.known == nullptr || !task_.known->categories.contains(name));
  if (kind == FeatureKind::kWords) column.divider = ' ';
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
FeatureTable::Unknown FeatureTable::for_each_row(std::int64_t i, const Use& use) const {
  RowReader reader(chunks_[i], format_, num_fields_);
  std::vector<Field> fields;
  std::string scratch;
  Unknown unknown;
  while (reader.next(fields)) {
    const std::string_view id = fields[key_].value(scratch);
    if (id.empty()) throw TextError{reader.row(), "id is empty, expected at least one byte"};
    if (const std::optional<NodeId> node = names_.find(id)) {
      use(*node, fields, reader.row());
    } else if (unknown.count++ == 0) {
      unknown.example = id;
    }
  }
  return unknown;
}

void FeatureTable::find_kinds() {
  std::vector<Found> found(chunks_.size());
  for_each_chunk(text_, file_, num_chunks(), [&](std::int64_t i) {
    Found& chunk = found[i];
    chunk.missing.assign(columns_.size(), 0);
    chunk.not_number.assign(columns_.size(), 0);
    chunk.not_finite.assign(columns_.size(), nullptr);
    std::string scratch;
    chunk.unknown = for_each_row(i, [&](NodeId node, const std::vector<Field>& fields,
                                        const char* row) {
      chunk.rows.push_back({node, row});
      for (std::size_t c = 0; c < columns_.size(); ++c) {
        if (!columns_[c].numeric || chunk.not_number[c] != 0) continue;
        const std::string_view value = fields[columns_[c].field].value(scratch);
        if (is_missing(value)) {
          ++chunk.missing[c];
          continue;
        }
        const std::optional<double> number = number_in(value);
        if (!number && task_.known != nullptr) {
          throw TextError{row, fmt::format("column {} has {}, expected a number as in training",
                                           quote(columns_[c].name), quote(value))};
        }
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
      columns_[c].missing += chunk.missing[c];
      if (columns_[c].not_finite == nullptr) columns_[c].not_finite = chunk.not_finite[c];
    }
  }
  count_rows(found);
  for (const FeatureColumn& column : columns_) {
    if (column.numeric && column.not_finite != nullptr) {
      throw DataError(file_, line_of(text_, column.not_finite),
                      fmt::format("column {} has a number that is not finite in 32 bits, expected "
                                  "a finite number, or an empty field for a missing one",
                                  quote(column.name)));
    }
  }
}

void FeatureTable::count_rows(const std::vector<Found>& found) {
  has_row_.assign(static_cast<std::size_t>(names_.size()), 0);
  for (const Found& chunk : found) {
    if (unknown_.count == 0) unknown_.example = chunk.unknown.example;
    unknown_.count += chunk.unknown.count;
    num_rows_ += static_cast<std::int64_t>(chunk.rows.size());
    for (const Row& row : chunk.rows) {
      if (has_row_[row.node] != 0) {
        throw DataError(file_, line_of(text_, row.where),
                        fmt::format("id {} has a second row, expected one row an id",
                                    quote(names_.name(row.node))));
      }
      has_row_[row.node] = 1;
    }
  }
  if (num_rows_ > 0) return;
  if (unknown_.count == 0) throw DataError(file_, 0, "the table has no rows below its header");
  throw DataError(
      file_, 0,
      fmt::format("no row belongs to the data: the column {} has ids such as {}, but {}",
                  quote(key_name_), quote(unknown_.example), example_of_ids(task_.side, names_)));
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
        const std::string_view field = fields[columns_[c].field].value(scratch);
        for_each_value(field, columns_[c].divider, [&](std::string_view value) {
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

void FeatureTable::check_categories(std::int64_t most) const {
  // Values that training does not know are left out anyway.
  if (task_.known != nullptr) return;
  for (const FeatureColumn& column : columns_) {
    if (column.values.size() <= most) continue;
    throw DataError(
        file_, 0,
        fmt::format("the column {} has {} different values, more than data.max_categories = {}: "
                    "remove it, or raise data.max_categories if its values are categories",
                    quote(column.name), column.values.size(), most));
  }
}

/// Gives every column its place. Values are sorted, so that the features do not depend on the order
/// of rows.
void FeatureTable::lay_out(std::int64_t max_bytes) {
  const FeatureColumn* widest = &columns_.front();
  for (FeatureColumn& column : columns_) {
    column.begin = width_;
    if (!column.numeric) column.width = column.values.size();
    width_ += column.width;
    if (column.width > widest->width) widest = &column;
  }
  double bytes = static_cast<double>(width_) * names_.size() * sizeof(float);
  // Each name of a value's column begins with the column's name.
  for (const FeatureColumn& column : columns_) {
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
  for (FeatureColumn& column : columns_) {
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
  for (const FeatureColumn& column : columns_) {
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
        const FeatureColumn& column = columns_[c];
        const std::string_view value = fields[column.field].value(scratch);
        if (column.numeric) {
          row[column.begin] = is_missing(value) ? std::numeric_limits<float>::quiet_NaN()
                                                : static_cast<float>(*number_in(value));
        } else {
          for_each_value(value, column.divider, [&](std::string_view one) {
            row[column.begin + *column.values.find(one)] = 1.0F;
          });
        }
      }
    });
  });
  return features;
}

void FeatureTable::describe(std::vector<std::string>& notes) const {
  const std::vector<std::string> missing = describe_missing(columns_);
  const std::string file = std::filesystem::path(file_).filename().string();
  const auto note = [&](const std::string& what, const std::string& found) {
    notes.push_back(fmt::format("{}: {}: {}.", file, what, found));
  };
  note("columns of features", fmt::format("{}, nodes with a row: {}; {}", width_, num_rows_,
                                          some_of(describe_columns(columns_))));
  const bool known = task_.known != nullptr;
  if (!missing.empty()) {
    note(fmt::format("missing numbers, which count as the mean of their column{}",
                     known ? " in training" : ""),
         some_of(missing));
  }
  if (!skipped_.empty()) {
    note(known ? "columns that training does not have, left out" : "columns that are not read",
         some_of(skipped_));
  }
  if (unknown_.count > 0) {
    note("rows of ids that are not in the data, left out", fmt::to_string(unknown_.count));
  }
  if (num_rows_ < names_.size()) {
    note("nodes without a row, whose features are zeros",
         fmt::to_string(names_.size() - num_rows_));
  }
}

}  // namespace

Features parse_feature_table(std::string_view bytes, const std::string& file,
                             const FeatureTableTask& task, const Vocabulary& names,
                             const DataOptions& options, std::vector<std::string>& notes) {
  return FeatureTable(checked_text(bytes, file), file, task, names).parse(options, notes);
}

}  // namespace tern
