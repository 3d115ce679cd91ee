#include "host/train/fold_in.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "host/model/lightgcnpp.hpp"
#include "tern/error.hpp"
#include "tern/model.hpp"
#include "tern/trainer.hpp"

namespace tern {
namespace {

/// 1/L Σ_{l<L} e_i^l of every item: the final embeddings of a model with one layer less.
std::vector<double> mean_layers(Backend& backend, const Graph& graph, const ModelOptions& options,
                                const TensorFile& parameters) {
  ModelOptions fewer = options;
  --fewer.layers;
  fewer.contrast = {};
  const Triplets no_triplets;
  const std::unique_ptr<Model> model = make_model(backend, graph, no_triplets, fewer);
  load_parameters(backend, *model, parameters);
  model->embed();
  const Matrix& items = model->embeddings(Side::kItem);
  std::vector<double> rows(static_cast<std::size_t>(items.size()));
  backend.download(items, std::span<double>(rows));
  return rows;
}

/// The sums of a new user: e_u = user_scale(|H|) Σ_{i∈H} item_scale(d_i) items_i.
struct NeighbourSums {
  std::vector<double> items;
  std::function<double(double degree)> item_scale;
  std::function<double(double items)> user_scale;
};

NeighbourSums sums_of_lightgcn(Backend& backend, const Graph& graph, const ModelOptions& options,
                               const TensorFile& parameters) {
  // The final embedding of lightgcn counts the user's own layer 0, which is 0; that of xsimgcl does not.
  const double own_layers = options.contrast.kind == ContrastKind::kNone ? 1.0 : 0.0;
  const double layers = options.layers;
  return {mean_layers(backend, graph, options, parameters),
          [](double degree) { return 1.0 / std::sqrt(degree + 1.0); },
          [=](double items) { return layers / (layers + own_layers) / std::sqrt(items); }};
}

NeighbourSums sums_of_lightgcnpp(Backend& backend, const Graph& graph, const ModelOptions& options,
                                 const TensorFile& parameters) {
  const Triplets no_triplets;
  LightGcnPlusPlus model(backend, graph, no_triplets, options);
  load_parameters(backend, model, parameters);
  const auto [kind, alpha, beta, gamma] = options.propagation;
  const double weight = (1.0 - gamma) / options.layers;
  return {model.sum_of_units(Side::kItem),
          [beta = beta](double degree) { return std::pow(degree + 1.0, -beta); },
          [alpha = alpha, weight](double items) { return weight * std::pow(items, -alpha); }};
}

}  // namespace

bool can_fold_in(const ModelOptions& options) {
  return options.kind == ModelKind::kLightGcn && options.layers > 0;
}

std::vector<float> fold_in(Backend& backend, const Graph& graph, const Interactions& train,
                           const ModelOptions& options, const TensorFile& parameters,
                           const Interactions& history) {
  if (!can_fold_in(options)) {
    throw ConfigError("new users can only be folded into lightgcn with at least one layer");
  }
  if (history.num_items() != train.num_items()) {
    throw ShapeError(fmt::format("fold_in: the history has {} items, training has {}",
                                 history.num_items(), train.num_items()));
  }
  std::vector<double> degrees(static_cast<std::size_t>(train.num_items()), 0.0);
  for (const NodeId item : train.items()) ++degrees[static_cast<std::size_t>(item)];
  const NeighbourSums neighbours = options.propagation.kind == PropagationKind::kLightGcn
                                       ? sums_of_lightgcn(backend, graph, options, parameters)
                                       : sums_of_lightgcnpp(backend, graph, options, parameters);
  const auto width = static_cast<std::size_t>(options.width);
  std::vector<float> rows;
  rows.reserve(static_cast<std::size_t>(history.num_users()) * width);
  std::vector<double> sums(width);
  for (NodeId user = 0; user < history.num_users(); ++user) {
    sums.assign(width, 0.0);
    const std::span<const NodeId> row = history.row(user);
    for (const NodeId item : row) {
      const auto at = static_cast<std::size_t>(item);
      const double scale = neighbours.item_scale(degrees[at]);
      for (std::size_t d = 0; d < width; ++d) sums[d] += scale * neighbours.items[at * width + d];
    }
    const double scale = row.empty() ? 0.0 : neighbours.user_scale(static_cast<double>(row.size()));
    for (const double sum : sums) rows.push_back(static_cast<float>(scale * sum));
  }
  return rows;
}

}  // namespace tern
