#include "host/model/lightgcnpp.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>

#include "tern/error.hpp"

namespace tern {
namespace {

/// The number of neighbours of each node of a side: products of R or Rᵀ with ones.
std::vector<double> degrees_of(Backend& backend, const Graph& graph, Side side) {
  // So many neighbours at a time are counted exactly in f32.
  constexpr NodeId kExact = NodeId{1} << 24;
  const NodeId others = graph.num_nodes(opposite(side));
  Matrix ones = backend.allocate(others, 1, {.replicated = true});
  backend.fill(ones, 1.0);
  Matrix counts = backend.allocate(graph.num_nodes(side), 1, {.replicated = true});
  std::vector<double> degrees(static_cast<std::size_t>(counts.size()));
  std::vector<double> counted(degrees.size());
  for (NodeId begin = 0; begin < others; begin += std::min(kExact, others - begin)) {
    std::vector<NodeId> some(static_cast<std::size_t>(std::min(kExact, others - begin)));
    std::iota(some.begin(), some.end(), begin);
    const RowSet from = backend.make_row_set(others, some);
    backend.propagate(graph, side, ones, counts,
                      {.normalization = Normalization::kNone, .from = &from});
    backend.download(counts, std::span<double>(counted));
    for (std::size_t i = 0; i < degrees.size(); ++i) degrees[i] += counted[i];
  }
  return degrees;
}

/// d^-exponent of every node, 0 for degree 0, as a matrix (1, nodes).
Matrix make_scales(Backend& backend, const std::vector<double>& degrees, const char* key,
                   double exponent) {
  std::vector<double> scales;
  for (const double degree : degrees) {
    scales.push_back(degree == 0.0 ? 0.0 : std::pow(degree, -exponent));
    const double scale = scales.back();
    if (degree > 0.0 &&
        (scale < std::numeric_limits<float>::min() || scale > std::numeric_limits<float>::max())) {
      throw ConfigError(fmt::format(
          "{}: found {}, but f32 cannot hold the scale {:.3g} of a node with {} interactions", key,
          exponent, scale, degree));
    }
  }
  Matrix matrix =
      backend.allocate(1, static_cast<std::int64_t>(scales.size()), {.replicated = true});
  backend.upload(std::span<const double>(scales), matrix);
  return matrix;
}

}  // namespace

LightGcnPlusPlus::LightGcnPlusPlus(Backend& backend, const Graph& graph, const Triplets& triplets,
                                   const ModelOptions& options)
    : backend_(backend),
      graph_(graph),
      triplets_(triplets),
      options_(options),
      tables_(backend, graph, options.width),
      finals_(backend, graph, options.width),
      units_(backend, graph, options.width, gathered_if(true, options)),
      sums_(backend, graph, options.width, gathered_if(options.layers >= 2, options)) {
  for (const Side side : kSides) {
    const auto s = static_cast<std::size_t>(side);
    const std::vector<double> degrees = degrees_of(backend, graph, side);
    to_scales_[s] = make_scales(backend, degrees, "propagation.alpha", options.propagation.alpha);
    from_scales_[s] = make_scales(backend, degrees, "propagation.beta", options.propagation.beta);
  }
  const int kept = triplets.empty() ? std::min(options.layers - 1, 1) : options.layers - 1;
  for (int i = 0; i < kept; ++i) hidden_.emplace_back(backend, graph, options.width);
  if (!triplets.empty()) gradients_ = SidePair(backend, graph, options.width);
  parameters_ = table_parameters(tables_, units_);
}

void LightGcnPlusPlus::initialize(Seed seed) {
  initialize_tables(backend_, tables_, options_, seed);
}

/// The table of a layer from 1 to L-1. Without triplets it is always the same.
SidePair& LightGcnPlusPlus::hidden(int layer) {
  return hidden_[std::min(static_cast<std::size_t>(layer), hidden_.size()) - 1];
}

/// Ê of a layer, and the layer added to the sum.
void LightGcnPlusPlus::add_units(int layer, Rows rows) {
  const SidePair& values = layer == 0 ? tables_ : hidden(layer);
  for (const Side side : kSides) {
    backend_.normalize_rows(
        values[side], units_[side],
        {.sum = &sums_[side],
         .weight = layer == 0 ? options_.propagation.gamma / mean_weight() : 1.0,
         .begin = layer == 0 ? RowSum::Begin::kAtZero : RowSum::Begin::kAtSum,
         .rows = rows == Rows::kBatch ? &triplets_.rows(side) : nullptr});
  }
}

/// A layer from 1 on, from the unit rows of the one before. The last becomes the final embeddings.
void LightGcnPlusPlus::propagate_layer(int layer, Rows rows) {
  for (const Side side : kSides) {
    PropagateOptions options{
        .normalization = Normalization::kGiven,
        .to_scales = &to_scales_[static_cast<std::size_t>(side)],
        .from_scales = &from_scales_[static_cast<std::size_t>(opposite(side))]};
    const bool last = layer == options_.layers;
    if (last) {
      options.addend = &sums_[side];
      options.scale = mean_weight();
      if (rows == Rows::kBatch) options.to = &triplets_.rows(side);
    }
    backend_.propagate(graph_, side, units_[opposite(side)],
                       last ? finals_[side] : hidden(layer)[side], options);
  }
}

void LightGcnPlusPlus::forward() {
  for (int layer = 1; layer <= options_.layers; ++layer) {
    add_units(layer - 1, Rows::kBatch);
    propagate_layer(layer, Rows::kBatch);
  }
}

void LightGcnPlusPlus::embed() {
  for (int layer = 1; layer <= options_.layers; ++layer) {
    add_units(layer - 1, Rows::kAll);
    propagate_layer(layer, Rows::kAll);
  }
}

void LightGcnPlusPlus::backward() {
  const SidePair* previous = &gradients_;
  for (int layer = options_.layers; layer >= 1; --layer) {
    SidePair& next = layer % 2 == 1 ? units_ : sums_;
    for (const Side side : kSides) {
      PropagateOptions options{
          .normalization = Normalization::kGiven,
          .to_scales = &from_scales_[static_cast<std::size_t>(side)],
          .from_scales = &to_scales_[static_cast<std::size_t>(opposite(side))]};
      if (layer == options_.layers) {
        options.from = &triplets_.rows(opposite(side));
        options.scale = mean_weight();
      }
      backend_.propagate(graph_, side, (*previous)[opposite(side)], next[side], options);
    }
    const SidePair& values = layer == 1 ? tables_ : hidden(layer - 1);
    for (const Side side : kSides) {
      backend_.normalize_rows_backward(
          values[side], next[side], next[side],
          {.matrix = &gradients_[side],
           .weight = layer == 1 ? options_.propagation.gamma : mean_weight(),
           .rows = &triplets_.rows(side)});
    }
    previous = &next;
  }
}

std::vector<double> LightGcnPlusPlus::sum_of_units(Side side) {
  std::vector<double> sum(static_cast<std::size_t>(units_[side].size()));
  std::vector<double> units(sum.size());
  for (int layer = 1; layer <= options_.layers; ++layer) {
    add_units(layer - 1, Rows::kAll);
    backend_.download(units_[side], std::span<double>(units));
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += units[i];
    propagate_layer(layer, Rows::kAll);
  }
  return sum;
}

}  // namespace tern
