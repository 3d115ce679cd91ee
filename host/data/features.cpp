#include "host/data/features.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <variant>

#include "host/data/compression.hpp"
#include "host/data/feature_table.hpp"
#include "host/data/memory_budget.hpp"
#include "host/data/npz.hpp"
#include "host/data/recognition.hpp"
#include "host/data/table_sample.hpp"
#include "host/data/tensor_bytes.hpp"
#include "host/data/text.hpp"
#include "host/support/parallel.hpp"
#include "host/support/utf8.hpp"
#include "tern/error.hpp"
#include "tern/tensor_file.hpp"

namespace tern {
namespace {

[[noreturn]] void throw_not_finite(const std::string& file, std::int64_t row, std::int64_t column) {
  throw DataError(
      file, 0,
      fmt::format("row {}, column {} (from 0): found a number that is not finite in 32 bits; "
                  "replace it (numpy.nan_to_num)",
                  row, column));
}

/// The rows of the nodes, as f32. A node without a row gets zeros.
template <typename Value>
std::vector<float> gather(const std::vector<Value>& array, std::int64_t width,
                          const std::vector<std::int64_t>& rows, const std::string& file) {
  const auto num_nodes = static_cast<std::int64_t>(rows.size());
  std::vector<float> values(static_cast<std::size_t>(num_nodes * width));
  constexpr std::int64_t kRowsAtOnce = 4096;
  parallel_for_blocks(num_nodes, kRowsAtOnce, [&](std::int64_t node) {
    const std::int64_t row = rows[node];
    if (row < 0) return;
    for (std::int64_t c = 0; c < width; ++c) {
      const auto value = static_cast<float>(array[row * width + c]);
      if (!std::isfinite(value)) throw_not_finite(file, row, c);
      values[node * width + c] = value;
    }
  });
  return values;
}

void note_rows(const std::string& name, const FeatureRows& rows, std::int64_t width,
               std::vector<std::string>& notes) {
  const auto without = std::count(rows.of_node.begin(), rows.of_node.end(), -1);
  notes.push_back(fmt::format("{}: columns of features: {}, nodes with a row: {}; {}.", name, width,
                              static_cast<std::int64_t>(rows.of_node.size()) - without, rows.rule));
  const auto note = [&](std::string_view what, std::int64_t count) {
    if (count > 0) notes.push_back(fmt::format("{}: {}: {}.", name, what, count));
  };
  note("rows of ids that are not in the data, left out", rows.unknown);
  note("nodes without a row, whose features are zeros", without);
}

/// Rows and columns of a dense array.
std::pair<std::int64_t, std::int64_t> size_of(const Tensor& tensor, const std::string& file) {
  if (tensor.shape.empty() || tensor.shape.size() > 2) {
    throw DataError(file, 0,
                    fmt::format("the array has the shape {}, expected (nodes, features) or (nodes)",
                                format_shape(tensor.shape)));
  }
  return {tensor.shape[0], tensor.shape.size() == 2 ? tensor.shape[1] : 1};
}

std::pair<std::int64_t, std::int64_t> size_of(const SparseElements& matrix, const std::string&) {
  return {matrix.num_rows, matrix.num_columns};
}

std::vector<float> values_of(const Tensor& tensor, std::int64_t width,
                             const std::vector<std::int64_t>& rows, const std::string& file) {
  return std::visit([&](const auto& values) { return gather(values, width, rows, file); },
                    tensor.values);
}

std::vector<float> values_of(const SparseElements& matrix, std::int64_t width,
                             const std::vector<std::int64_t>& rows, const std::string& file) {
  // An empty matrix can claim any number of rows.
  require_memory(static_cast<std::uint64_t>(matrix.num_rows) * sizeof(NodeId), file);
  std::vector<NodeId> node_of_row(static_cast<std::size_t>(matrix.num_rows), -1);
  for (std::size_t node = 0; node < rows.size(); ++node) {
    if (rows[node] >= 0) node_of_row[rows[node]] = static_cast<NodeId>(node);
  }
  std::vector<float> values(rows.size() * static_cast<std::size_t>(width));
  for (std::size_t e = 0; e < matrix.values.size(); ++e) {
    const std::int64_t node = node_of_row[matrix.rows[e]];
    if (node < 0) continue;
    float& value = values[node * width + matrix.columns[e]];
    value = static_cast<float>(value + matrix.values[e]);
    if (!std::isfinite(value)) throw_not_finite(file, matrix.rows[e], matrix.columns[e]);
  }
  return values;
}

Features read_array_features(const Source& source, const FeatureNodes& nodes,
                             const DataOptions& options, std::vector<std::string>& notes) {
  const std::string file = source.path.string();
  const std::variant<Tensor, SparseElements> content =
      source.format == SourceFormat::kNpz ? read_npz(file, options.max_bytes) : read_npy(file);
  const auto [num_rows, width] =
      std::visit([&](const auto& array) { return size_of(array, file); }, content);
  if (width == 0) throw DataError(file, 0, "the array has no columns, expected at least one");
  const std::string stem = source.path.stem().string();
  // Each column has a name of its own.
  const double bytes =
      static_cast<double>(width) * (static_cast<double>(nodes.names.size()) * sizeof(float) +
                                    static_cast<double>(sizeof(std::string) + stem.size()));
  if (bytes > static_cast<double>(options.max_feature_bytes)) {
    throw DataError(
        file, 0,
        fmt::format("the features would take {:.3g} bytes, more than data.max_feature_bytes = {}",
                    bytes, options.max_feature_bytes));
  }
  const FeatureRows rows = match_rows(file, num_rows, nodes, options);
  require_memory(static_cast<std::uint64_t>(bytes), file);
  note_rows(source.name(), rows, width, notes);
  Features features;
  for (std::int64_t c = 0; c < width; ++c) features.names.push_back(fmt::format("{}[{}]", stem, c));
  features.values = std::visit(
      [&, width = width](const auto& array) { return values_of(array, width, rows.of_node, file); },
      content);
  return features;
}

/// The format by the name, unless it leaves the header whole: Excel separates .csv by semicolons in
/// many countries.
TableFormat format_of_features(std::string_view bytes, const Source& source) {
  const std::string_view text = checked_text(bytes, source.file());
  const TableSample sample = sample_rows(text, source.file(), source.table_format());
  if (sample.rows.front().size() > 1) return source.table_format();
  return recognise_separator({text, source.file(), source.format}, {});
}

}  // namespace

Features read_features(const Source& source, const FeatureNodes& nodes, const DataOptions& options,
                       std::vector<std::string>& notes) {
  if (source.is_array()) return read_array_features(source, nodes, options, notes);
  const std::string file = source.path.string();
  ByteBuffer bytes = read_file(source.path, options.max_bytes);
  if (options.encoding == TextEncoding::kLatin1 && !is_utf8(bytes.view())) {
    bytes = latin1_to_utf8(bytes.view());
  }
  FeatureTableTask task;
  task.side = nodes.side;
  task.format = format_of_features(bytes.view(), source);
  return parse_feature_table(bytes.view(), file, task, nodes.names, options, notes);
}

}  // namespace tern
