#include "host/data/features.hpp"

#include <fmt/format.h>

#include <cmath>
#include <variant>

#include "host/data/compression.hpp"
#include "host/data/feature_table.hpp"
#include "host/data/tensor_bytes.hpp"
#include "host/support/parallel.hpp"
#include "tern/error.hpp"
#include "tern/tensor_file.hpp"

namespace tern {
namespace {

/// The rows of the remaining nodes, as f32.
template <typename Value>
std::vector<float> gather(const std::vector<Value>& array, std::int64_t width,
                          const FeatureNodes& nodes, const std::string& file) {
  const std::int64_t num_nodes = nodes.names.size();
  std::vector<float> values(static_cast<std::size_t>(num_nodes * width));
  constexpr std::int64_t kRowsAtOnce = 4096;
  parallel_for_blocks(num_nodes, kRowsAtOnce, [&](std::int64_t node) {
    const std::int64_t row = nodes.rows.empty() ? node : nodes.rows[node];
    for (std::int64_t c = 0; c < width; ++c) {
      const auto value = static_cast<float>(array[row * width + c]);
      if (!std::isfinite(value)) {
        throw DataError(
            file, 0,
            fmt::format("row {}, column {} (from 0): found a number that is not finite in "
                        "32 bits",
                        row, c));
      }
      values[node * width + c] = value;
    }
  });
  return values;
}

Features read_array(const std::string& file, const std::string& stem, const FeatureNodes& nodes,
                    std::int64_t max_bytes) {
  const Tensor tensor = read_npy(file);
  if (tensor.shape.empty() || tensor.shape.size() > 2) {
    throw DataError(file, 0,
                    fmt::format("the array has the shape {}, expected (nodes, features) or (nodes)",
                                format_shape(tensor.shape)));
  }
  if (tensor.shape[0] != nodes.num_read) {
    throw DataError(file, 0,
                    fmt::format("the array has {} rows, expected {}, one for every node that was "
                                "read, in id order",
                                tensor.shape[0], nodes.num_read));
  }
  const std::int64_t width = tensor.shape.size() == 2 ? tensor.shape[1] : 1;
  if (width == 0) throw DataError(file, 0, "the array has no columns, expected at least one");
  const double bytes = static_cast<double>(width) * nodes.names.size() * sizeof(float);
  if (bytes > static_cast<double>(max_bytes)) {
    throw DataError(
        file, 0,
        fmt::format("the features would take {:.3g} bytes, more than data.max_feature_bytes = {}",
                    bytes, max_bytes));
  }
  Features features;
  for (std::int64_t c = 0; c < width; ++c) features.names.push_back(fmt::format("{}[{}]", stem, c));
  features.values = std::visit(
      [&](const auto& values) { return gather(values, width, nodes, file); }, tensor.values);
  return features;
}

}  // namespace

Features read_features(const Source& source, const FeatureNodes& nodes, const DataOptions& options,
                       std::vector<std::string>& notes) {
  const std::string file = source.path.string();
  if (source.format == SourceFormat::kNpy) {
    Features features =
        read_array(file, source.path.stem().string(), nodes, options.max_feature_bytes);
    notes.push_back(fmt::format("{}: columns of features: {}, nodes: {}.",
                                source.path.filename().string(), features.width(),
                                nodes.names.size()));
    return features;
  }
  const ByteBuffer bytes = read_file(source.path, options.max_bytes);
  return parse_feature_table(bytes.view(), file, source.table_format(), nodes.names, options,
                             notes);
}

}  // namespace tern
