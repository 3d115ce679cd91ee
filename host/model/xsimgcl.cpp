#include "host/model/xsimgcl.hpp"

namespace tern {

XSimGcl::XSimGcl(Backend& backend, const Graph& graph, const Triplets& triplets,
                 const ModelOptions& options)
    : backend_(backend),
      graph_(graph),
      triplets_(triplets),
      options_(options),
      steps_(backend.make_counter()),
      tables_(backend, graph, options.width, gathered_if(true, options)),
      finals_(backend, graph, options.width, gathered_if(options.contrast.layer >= 3, options)) {
  turns_[0] = SidePair(backend, graph, options.width, gathered_if(options.layers >= 3, options));
  turns_[1] = SidePair(backend, graph, options.width, gathered_if(options.layers >= 2, options));
  parameters_ = table_parameters(tables_, turns_[0]);
  if (triplets.empty()) return;
  gradients_ = SidePair(backend, graph, options.width);
  view_gradients_ = SidePair(backend, graph, options.width);
  const ContrastOptions& contrast = options.contrast;
  const int after_view = options.layers - contrast.layer;
  if (after_view > 1) {
    spare_ = SidePair(backend, graph, options.width, gathered_if(after_view > 2, options));
  }
  contrast_.options = {.temperature = contrast.temperature, .weight = contrast.weight};
  for (const Side side : kSides) {
    const auto s = static_cast<std::size_t>(side);
    contrast_.views[s] = &layer(contrast.layer)[side];
    contrast_.gradients[s] = &view_gradients_[side];
  }
}

void XSimGcl::initialize(Seed seed) {
  seed_ = seed;
  backend_.set(steps_, 0);
  initialize_tables(backend_, tables_, options_, seed);
}

/// The table of a perturbed layer, from 1: no later one overwrites the view.
SidePair& XSimGcl::layer(int number) {
  const int after_view = number - options_.contrast.layer;
  if (after_view <= 1) return turns_[number % 2];
  return after_view % 2 == 0 ? spare_ : turns_[(options_.contrast.layer + 1) % 2];
}

/// Adds noise to a layer, and adds the layer to the final embeddings of the batch's rows.
void XSimGcl::perturb(int number) {
  for (const Side side : kSides) {
    const RowSet& batch = triplets_.rows(side);
    const PerturbOptions options{
        .magnitude = options_.contrast.magnitude,
        .seed = seed_,
        .place = 2 * (static_cast<std::uint32_t>(number) - 1) + static_cast<std::uint32_t>(side)};
    backend_.perturb(options, steps_, layer(number)[side],
                     number == options_.layers ? &batch : nullptr,
                     {.sum = &finals_[side],
                      .weight = 1.0 / options_.layers,
                      .begin = number == 1 ? RowSum::Begin::kAtZero : RowSum::Begin::kAtSum,
                      .rows = &batch});
  }
}

void XSimGcl::forward() {
  for (int number = 1; number <= options_.layers; ++number) {
    const SidePair& previous = number == 1 ? tables_ : layer(number - 1);
    for (const Side side : kSides) {
      PropagateOptions options;
      if (number == options_.layers) options.to = &triplets_.rows(side);
      backend_.propagate(graph_, side, previous[opposite(side)], layer(number)[side], options);
    }
    perturb(number);
  }
  // The second loss adds to it, at rows of this batch alone.
  for (const Side side : kSides) backend_.fill(view_gradients_[side], 0.0);
}

void XSimGcl::embed() {
  // t_l = Â t_{l-1} + E⁰, final = 1/L Â t_{L-1}.
  const SidePair* previous = &tables_;
  for (int number = 1; number <= options_.layers; ++number) {
    const bool last = number == options_.layers;
    SidePair& next = last ? finals_ : turns_[number % 2];
    for (const Side side : kSides) {
      PropagateOptions options;
      if (last) {
        options.scale = 1.0 / options_.layers;
      } else {
        options.addend = &tables_[side];
      }
      backend_.propagate(graph_, side, (*previous)[opposite(side)], next[side], options);
    }
    previous = &next;
  }
}

void XSimGcl::backward() {
  // L Â^{l*} v in finals_; the losses have read the final embeddings and the view.
  const SidePair* previous = &view_gradients_;
  const int depth = options_.contrast.layer;
  for (int step = 1; step <= depth; ++step) {
    SidePair& next = (depth - step) % 2 == 0 ? finals_ : turns_[1];
    for (const Side side : kSides) {
      PropagateOptions options;
      if (step == 1) options.from = &triplets_.rows(opposite(side));
      if (step == depth) options.scale = options_.layers;
      backend_.propagate(graph_, side, (*previous)[opposite(side)], next[side], options);
    }
    previous = &next;
  }
  // h_1 = g, h_k = Â h_{k-1} + g, gradient = 1/L (Â h_L + finals_).
  previous = &gradients_;
  for (int step = 1; step <= options_.layers; ++step) {
    const bool last = step == options_.layers;
    SidePair& next = turns_[(options_.layers - step) % 2];
    for (const Side side : kSides) {
      PropagateOptions options;
      if (step == 1) options.from = &triplets_.rows(opposite(side));
      options.addend = last ? &finals_[side] : &gradients_[side];
      if (!last) options.addend_rows = &triplets_.rows(side);
      if (last) options.scale = 1.0 / options_.layers;
      backend_.propagate(graph_, side, (*previous)[opposite(side)], next[side], options);
    }
    previous = &next;
  }
  backend_.increment(steps_);
}

}  // namespace tern
