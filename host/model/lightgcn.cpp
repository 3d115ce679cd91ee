#include "host/model/lightgcn.hpp"

namespace tern {

LightGcn::LightGcn(Backend& backend, const Graph& graph, const Triplets& triplets,
                   const ModelOptions& options)
    : backend_(backend),
      graph_(graph),
      triplets_(triplets),
      options_(options),
      tables_(backend, graph, options.width, gathered_if(options.layers >= 1, options)) {
  if (!triplets.empty()) gradients_ = SidePair(backend, graph, options.width);
  if (options_.layers > 0) {
    // turns_[1] holds layer 1, which is propagated if a second one follows; turns_[0] is propagated only
    // from layer 2 of three or more.
    turns_[0] = SidePair(backend, graph, options.width, gathered_if(options.layers >= 3, options));
    turns_[1] = SidePair(backend, graph, options.width, gathered_if(options.layers >= 2, options));
  }
  parameters_ = table_parameters(tables_, options_.layers == 0 ? gradients_ : turns_[0]);
}

void LightGcn::initialize(Seed seed) {
  initialize_tables(backend_, tables_, options_, seed);
}

void LightGcn::propagate_layers(Rows last_layer) {
  const SidePair* previous = &tables_;
  for (int layer = 1; layer <= options_.layers; ++layer) {
    SidePair& next = turns_[layer % 2];
    for (const Side side : kSides) {
      PropagateOptions options;
      options.addend = &tables_[side];
      if (layer == options_.layers) {
        options.scale = 1.0 / (options_.layers + 1);
        if (last_layer == Rows::kBatch) options.to = &triplets_.rows(side);
      }
      backend_.propagate(graph_, side, (*previous)[opposite(side)], next[side], options);
    }
    previous = &next;
  }
}

void LightGcn::forward() {
  propagate_layers(Rows::kBatch);
  if (options_.layers == 0) {
    // No propagation overwrites the gradient: rows of earlier batches must be cleared.
    for (const Side side : kSides) backend_.fill(gradients_[side], 0.0);
  }
}

void LightGcn::embed() {
  propagate_layers(Rows::kAll);
}

void LightGcn::backward() {
  const SidePair* previous = &gradients_;
  for (int step = 1; step <= options_.layers; ++step) {
    SidePair& next = turns_[(options_.layers - step) % 2];
    for (const Side side : kSides) {
      PropagateOptions options;
      if (step == 1) options.from = &triplets_.rows(opposite(side));
      options.addend = &gradients_[side];
      options.addend_rows = &triplets_.rows(side);
      if (step == options_.layers) options.scale = 1.0 / (options_.layers + 1);
      backend_.propagate(graph_, side, (*previous)[opposite(side)], next[side], options);
    }
    previous = &next;
  }
}

}  // namespace tern
