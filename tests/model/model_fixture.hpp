#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <vector>

#include "tern/backend.hpp"
#include "tern/device.hpp"
#include "tern/model.hpp"

namespace tern::test {

/// About `size` random interactions of the first users and items only: the last two of either side
/// stay isolated.
inline Interactions random_interactions(NodeId num_users, NodeId num_items, int size,
                                        std::uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_int_distribution<NodeId> user(0, num_users - 3);
  std::uniform_int_distribution<NodeId> item(0, num_items - 3);
  std::vector<Interaction> pairs;
  for (int i = 0; i < size; ++i) pairs.push_back({user(random), item(random)});
  return Interactions::from_pairs(num_users, num_items, pairs);
}

inline std::vector<double> values_of(Backend& backend, const Matrix& matrix) {
  std::vector<double> values(static_cast<std::size_t>(matrix.size()));
  backend.download(matrix, std::span<double>(values));
  return values;
}

inline void upload(Backend& backend, const std::vector<double>& values, Matrix& matrix) {
  backend.upload(std::span<const double>(values), matrix);
}

/// A model with everything that it stands on, after one sampled epoch.
struct ModelFixture {
  ModelFixture(std::unique_ptr<Backend> backend_in, const Interactions& interactions,
               const ModelOptions& options, std::int64_t batch_size)
      : backend(std::move(backend_in)),
        graph(backend->make_graph(interactions)),
        triplets(backend->make_triplets(graph, {}, batch_size)),
        model(make_model(*backend, graph, triplets, options)),
        losses(backend->allocate(2, triplets.num_batches())) {
    model->initialize(Seed{7});
    backend->sample(triplets, 1);
  }

  std::vector<double> embeddings(Side side) { return values_of(*backend, model->embeddings(side)); }

  /// The triplets of batch b of the sampled epoch.
  std::vector<Triplet> batch(std::int64_t b) {
    const std::vector<Triplet> all = backend->get_triplets(triplets);
    const std::int64_t begin = b * triplets.batch_size();
    const std::int64_t end = std::min(begin + triplets.batch_size(), triplets.size());
    return {all.begin() + begin, all.begin() + end};
  }

  std::unique_ptr<Backend> backend;
  Graph graph;
  Triplets triplets;
  std::unique_ptr<Model> model;
  Matrix losses;
};

inline ModelOptions model_options(ModelKind kind, int width, int layers) {
  ModelOptions options;
  options.kind = kind;
  options.width = width;
  options.layers = layers;
  return options;
}

}  // namespace tern::test
