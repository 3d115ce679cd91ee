#include "tern/feature_encoding.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "host/support/parallel.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

/// Above this share of ones, a dense product is faster than gathering a row of weights for every 1:
/// a gathered element costs about as much as three streamed multiplications, and rows of unequal
/// length balance badly.
constexpr double kMaxSparseDensity = 1.0 / 8;

/// No value of n nodes is further than √n deviations from their mean, so that in practice this
/// limits only the numbers of new nodes.
constexpr double kMaxDeviations = 1e4;

std::int64_t nodes_of(const Features& features) {
  const std::int64_t width = features.width();
  return width == 0 ? 0 : static_cast<std::int64_t>(features.values.size()) / width;
}

/// Figures of a column, updated from its first node to its last.
struct ColumnFigures {
  std::int64_t ones = 0;
  bool binary = true;
  double mean = 0.0;
  double deviation = 0.0;
};

ColumnFigures measure(const Features& features, std::int64_t column, NodeId nodes) {
  const std::int64_t width = features.width();
  ColumnFigures figures;
  double square = 0.0;  // Welford's sum of squared deviations
  for (std::int64_t node = 0; node < nodes; ++node) {
    const double x = features.values[static_cast<std::size_t>(node * width + column)];
    if (x == 1.0) {
      ++figures.ones;
    } else if (x != 0.0) {
      figures.binary = false;
    }
    const double delta = x - figures.mean;
    figures.mean += delta / static_cast<double>(node + 1);
    square += delta * (x - figures.mean);
  }
  if (nodes > 0) figures.deviation = std::sqrt(square / static_cast<double>(nodes));
  return figures;
}

}  // namespace

FeatureEncoding::FeatureEncoding(const Features& decided_on)
    : FeatureEncoding(decided_on, static_cast<NodeId>(nodes_of(decided_on))) {}

FeatureEncoding::FeatureEncoding(const Features& features, NodeId nodes) : names_(features.names) {
  const std::int64_t width = features.width();
  std::vector<ColumnFigures> figures(static_cast<std::size_t>(width));
  parallel_for(width, [&](std::int64_t c) {
    figures[static_cast<std::size_t>(c)] = measure(features, c, nodes);
  });
  std::int64_t binary = 0;
  double ones = 0.0;
  for (const ColumnFigures& of : figures) {
    if (!of.binary) continue;
    ++binary;
    ones += static_cast<double>(of.ones);
  }
  const double cells = static_cast<double>(binary) * static_cast<double>(nodes);
  const bool sparse = ones <= kMaxSparseDensity * cells;
  columns_.reserve(figures.size());
  for (const ColumnFigures& of : figures) {
    Column column;
    if (of.binary) {
      column.category = sparse;
    } else {
      column.mean = of.mean;
      if (of.deviation > 0.0) column.factor = 1.0 / of.deviation;
    }
    columns_.push_back(column);
  }
}

EncodedFeatures FeatureEncoding::encode(const Features& features) const {
  if (features.names != names_) {
    throw ShapeError(fmt::format("features: found {} columns, expected the {} of training",
                                 features.names.size(), names_.size()));
  }
  EncodedFeatures encoded;
  for (std::size_t c = 0; c < names_.size(); ++c) {
    (columns_[c].category ? encoded.category_names : encoded.number_names).push_back(names_[c]);
  }
  const std::int64_t nodes = nodes_of(features);
  const auto num_numbers = static_cast<std::int64_t>(encoded.number_names.size());
  encoded.numbers.resize(static_cast<std::size_t>(nodes * num_numbers));
  std::vector<Interaction> ones;
  std::size_t at = 0;
  for (std::int64_t node = 0; node < nodes; ++node) {
    NodeId category = 0;
    std::int64_t number = 0;
    for (const Column& column : columns_) {
      const double x = features.values[at++];
      if (column.category) {
        if (x != 0.0) ones.push_back({static_cast<NodeId>(node), category});
        ++category;
      } else {
        encoded.numbers[static_cast<std::size_t>(node * num_numbers + number)] = static_cast<float>(
            std::clamp((x - column.mean) * column.factor, -kMaxDeviations, kMaxDeviations));
        ++number;
      }
    }
  }
  encoded.categories = Interactions::from_pairs(
      static_cast<NodeId>(nodes), static_cast<NodeId>(encoded.category_names.size()), ones);
  return encoded;
}

EncodedDataset encode_features(const Dataset& data) {
  const auto encode = [](const std::optional<Features>& features, NodeId new_nodes) {
    std::optional<EncodedFeatures> encoded;
    if (!features.has_value() || features->width() == 0) return encoded;
    const auto trained = static_cast<NodeId>(nodes_of(*features)) - new_nodes;
    encoded = FeatureEncoding(*features, trained).encode(*features);
    return encoded;
  };
  return {encode(data.user_features, data.new_users), encode(data.item_features, data.new_items)};
}

}  // namespace tern
