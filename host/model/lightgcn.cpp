#include "host/model/lightgcn.hpp"

namespace tern {

LightGcn::LightGcn(Backend& backend, const Graph& graph, const Triplets& triplets,
                   const ModelOptions& options)
    : backend_(backend),
      graph_(graph),
      triplets_(triplets),
      layers_(options.layers),
      init_std_(options.init_std),
      tables_(backend, graph, options.width) {
  if (!triplets.empty()) gradients_ = SidePair(backend, graph, options.width);
  if (layers_ > 0) {
    for (SidePair& turn : turns_) turn = SidePair(backend, graph, options.width);
  }
  parameters_ = table_parameters(tables_, layers_ == 0 ? gradients_ : turns_[0]);
}

void LightGcn::initialize(Seed seed) {
  initialize_tables(backend_, tables_, init_std_, seed);
}

void LightGcn::propagate_layers(Rows last_layer) {
  const SidePair* previous = &tables_;
  for (int layer = 1; layer <= layers_; ++layer) {
    SidePair& next = turns_[layer % 2];
    for (const Side side : kSides) {
      PropagateOptions options;
      options.addend = &tables_[side];
      if (layer == layers_) {
        options.scale = 1.0 / (layers_ + 1);
        if (last_layer == Rows::kBatch) options.to = &triplets_.rows(side);
      }
      backend_.propagate(graph_, side, (*previous)[opposite(side)], next[side], options);
    }
    previous = &next;
  }
}

void LightGcn::forward() {
  propagate_layers(Rows::kBatch);
  if (layers_ == 0) {
    // No propagation overwrites the gradient: rows of earlier batches must be cleared.
    for (const Side side : kSides) backend_.fill(gradients_[side], 0.0);
  }
}

void LightGcn::embed() {
  propagate_layers(Rows::kAll);
}

void LightGcn::backward() {
  const SidePair* previous = &gradients_;
  for (int step = 1; step <= layers_; ++step) {
    SidePair& next = turns_[(layers_ - step) % 2];
    for (const Side side : kSides) {
      PropagateOptions options;
      if (step == 1) options.from = &triplets_.rows(opposite(side));
      options.addend = &gradients_[side];
      options.addend_rows = &triplets_.rows(side);
      if (step == layers_) options.scale = 1.0 / (layers_ + 1);
      backend_.propagate(graph_, side, (*previous)[opposite(side)], next[side], options);
    }
    previous = &next;
  }
}

}  // namespace tern
