#include "host/model/gcmc.hpp"

#include <fmt/format.h>

#include "tern/error.hpp"

namespace tern {
namespace {

bool takes_features(InputKind kind, Side side, const EncodedFeatures* features) {
  const bool wanted = kind == InputKind::kFeatures || kind == InputKind::kBoth;
  if (wanted && features == nullptr) {
    throw ConfigError(
        fmt::format("model.inputs needs features, but the data has none of {}s", to_string(side)));
  }
  return features != nullptr && kind != InputKind::kIds;
}

bool learns_ids(InputKind kind, const EncodedFeatures* features) {
  return kind == InputKind::kIds || kind == InputKind::kBoth ||
         (kind == InputKind::kAuto && features == nullptr);
}

}  // namespace

GcMc::GcMc(Backend& backend, const Graph& graph, const Triplets& triplets,
           const ModelOptions& options, const NodeFeatures& features)
    : backend_(backend),
      options_(options),
      steps_(backend.make_counter()),
      trainables_(backend,
                  triplets.empty() ? Trainables::Gradients::kNo : Trainables::Gradients::kYes) {
  std::vector<int> widths = options.hidden;
  widths.push_back(options.width);
  std::array<LayerInput, 2> inputs;
  for (const Side side : kSides) {
    if (trainables_.train() && graph.num_nodes(side) < 2) {
      throw ConfigError(fmt::format(
          "model.kind is gcmc, whose batch normalisation needs 2 {}s, but the data has {}",
          to_string(side), graph.num_nodes(side)));
    }
    inputs[static_cast<std::size_t>(side)] =
        make_input(side, graph, widths.front(), features.of(side));
  }
  for (std::size_t i = 0; i < widths.size(); ++i) {
    std::array<MatrixOptions, 2> outputs;
    for (const Side side : kSides) {
      if (i + 1 == widths.size()) continue;  // no layer propagates the final embeddings
      outputs[static_cast<std::size_t>(side)].gather =
          gather_of(graph, side, {.nodes = graph.num_nodes(side)}, widths[i], widths[i + 1]);
    }
    layers_.push_back(std::make_unique<GcMcLayer>(
        backend, graph, trainables_, static_cast<int>(i) + 1, inputs, widths[i], outputs));
    for (const Side side : kSides) {
      inputs[static_cast<std::size_t>(side)] = {.nodes = graph.num_nodes(side),
                                                .learned = &layers_.back()->output(side),
                                                .learned_gradient = &layers_.back()->gradient(side),
                                                .gather = options.gather};
    }
  }
}

/// How `learned` learned columns of a side's input x are allocated for a layer of `width` columns: their
/// copy is read only if its message propagates them before the linear map.
GatherPrecision GcMc::gather_of(const Graph& graph, Side side, const LayerInput& x,
                                std::int64_t learned, std::int64_t width) const {
  const MessageOrder order = message_order(graph, opposite(side), x, learned, width);
  return order == MessageOrder::kPropagateFirst ? options_.gather : GatherPrecision::kOwn;
}

LayerInput GcMc::make_input(Side side, const Graph& graph, std::int64_t width,
                            const EncodedFeatures* features) {
  const NodeId nodes = graph.num_nodes(side);
  NodeInput& own = inputs_[static_cast<std::size_t>(side)];
  LayerInput input{.nodes = nodes, .gather = options_.gather};
  if (takes_features(options_.inputs, side, features)) {
    if (features->num_nodes() != nodes) {
      throw ShapeError(fmt::format("features: found {} {}s, expected {}", features->num_nodes(),
                                   to_string(side), nodes));
    }
    const auto numbers = static_cast<std::int64_t>(features->number_names.size());
    if (numbers > 0) {
      own.numbers = backend_.allocate(nodes, numbers, {.replicated = true});
      backend_.upload(std::span<const float>(features->numbers), own.numbers);
      input.numbers = &own.numbers;
    }
    if (features->categories.num_items() > 0) {
      own.categories = backend_.make_graph(features->categories);
      input.categories = &own.categories;
    }
  }
  if (learns_ids(options_.inputs, features)) {
    own.ids = &trainables_.make(side, "embedding", nodes, options_.width,
                                {.gather = gather_of(graph, side, input, options_.width, width)});
    input.learned = &own.ids->value;
    input.learned_gradient = &own.ids->gradient;
  }
  return input;
}

void GcMc::initialize(Seed seed) {
  seed_ = seed;
  backend_.set(steps_, 0);
  for (const Side side : kSides) {
    Trainable* ids = inputs_[static_cast<std::size_t>(side)].ids;
    if (ids != nullptr) initialize_embedding(backend_, ids->value, side, options_, seed);
  }
  TensorSeeds seeds{seed, 2};
  for (const auto& layer : layers_) layer->initialize(seeds);
}

std::vector<NamedBuffer> GcMc::buffers() {
  std::vector<NamedBuffer> all;
  for (const auto& layer : layers_) {
    const std::vector<NamedBuffer> of_layer = layer->buffers();
    all.insert(all.end(), of_layer.begin(), of_layer.end());
  }
  return all;
}

GcMcDropout GcMc::dropout() const {
  return {.elements = options_.dropout,
          .messages = options_.message_dropout,
          .seed = seed_,
          .step = &steps_};
}

void GcMc::forward() {
  for (const auto& layer : layers_) layer->forward(DenseMode::kTraining, dropout());
  // A loss writes only the batch's rows; the others must not keep gradients of earlier batches.
  for (const Side side : kSides) backend_.fill(embedding_gradient(side), 0.0);
}

void GcMc::embed() {
  for (const auto& layer : layers_) layer->forward(DenseMode::kEvaluation, {});
}

void GcMc::backward() {
  for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer) {
    (*layer)->backward(dropout());
  }
  backend_.increment(steps_);  // last: both passes of a step use the same dropout
}

}  // namespace tern
