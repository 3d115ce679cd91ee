#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <vector>

#include "tern/backend.hpp"
#include "tern/loss.hpp"
#include "tern/model.hpp"
#include "tests/support/matrices.hpp"
#include "tests/support/sampling.hpp"

namespace tern::test {

/// About `size` random interactions; the last two users and items stay isolated.
inline Interactions with_isolated_nodes(NodeId num_users, NodeId num_items, int size,
                                        std::uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_int_distribution<NodeId> user(0, num_users - 3);
  std::uniform_int_distribution<NodeId> item(0, num_items - 3);
  std::vector<Interaction> pairs;
  for (int i = 0; i < size; ++i) pairs.push_back({user(random), item(random)});
  return Interactions::from_pairs(num_users, num_items, pairs);
}

inline void assign(Backend& backend, Matrix& matrix, const Values& values) {
  backend.upload(std::span<const double>(values), matrix);
}

/// A model with its backend, graph and triplets, after one sampled epoch.
struct ModelFixture {
  ModelFixture(std::unique_ptr<Backend> backend_in, const Interactions& interactions,
               const ModelOptions& options, std::int64_t batch_size,
               const NodeFeatures& features = {}, const SamplingOptions& sampling = {})
      : backend(std::move(backend_in)),
        graph(backend->make_graph(interactions)),
        triplets(backend->make_triplets(graph, sampling, batch_size)),
        model(make_model(*backend, graph, triplets, options, features)),
        losses(
            backend->allocate(loss_terms(*model), triplets.num_batches(), {.replicated = true})) {
    model->initialize(Seed{7});
    backend->sample(triplets, 1);
  }

  Values embeddings(Side side) { return values_of(*backend, model->embeddings(side)); }

  std::vector<Triplet> batch(std::int64_t b) { return batch_of(*backend, triplets, b); }

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
