#include "host/model/message.hpp"

#include <algorithm>
#include <vector>

namespace tern {
namespace {

/// The cost of a gathered element, in multiply-adds of a product.
constexpr double kGather = 3.0;

/// The 0/1 part as a dense matrix: the product with the identity.
Matrix dense_categories(Backend& backend, const Graph& categories) {
  const std::int64_t width = categories.num_items();
  std::vector<float> identity(static_cast<std::size_t>(width * width));
  for (std::int64_t i = 0; i < width; ++i) identity[static_cast<std::size_t>(i * width + i)] = 1.0F;
  Matrix unit = backend.allocate(width, width, {.replicated = true});
  backend.upload(std::span<const float>(identity), unit);
  Matrix dense = backend.allocate(categories.num_users(), width, {.replicated = true});
  backend.propagate(categories, Side::kUser, unit, dense, {.normalization = Normalization::kNone});
  backend.synchronize();
  return dense;
}

}  // namespace

MessageOrder cheaper_order(const MessageSizes& sizes) {
  // Â x of the 0/1 part is dense. It is avoided if the matrix or its computation would take more
  // memory than a few of the layer's own tables.
  constexpr std::int64_t kTables = 8;
  const std::int64_t tallest = std::max({sizes.categories, sizes.senders, sizes.receivers});
  if (sizes.categories * tallest > kTables * (sizes.senders + sizes.receivers) * sizes.width) {
    return MessageOrder::kLinearFirst;
  }
  const auto n = [](std::int64_t size) { return static_cast<double>(size); };
  const double width = n(sizes.width);
  const double linear_first = n(sizes.senders) * n(sizes.numbers + sizes.learned) * width +
                              kGather * n(sizes.ones + sizes.edges) * width;
  const double propagate_first =
      n(sizes.receivers) * n(sizes.numbers + sizes.categories + sizes.learned + 1) * width +
      kGather * n(sizes.edges) * n(sizes.learned);
  return propagate_first < linear_first ? MessageOrder::kPropagateFirst
                                        : MessageOrder::kLinearFirst;
}

MessageOrder message_order(const Graph& graph, Side to, const LayerInput& x, std::int64_t learned,
                           std::int64_t width) {
  return cheaper_order({.senders = x.nodes,
                        .receivers = graph.num_nodes(to),
                        .edges = graph.size(),
                        .numbers = x.num_numbers(),
                        .categories = x.num_categories(),
                        .ones = x.categories == nullptr ? 0 : x.categories->size(),
                        .learned = learned,
                        .width = width});
}

Message::Message(Backend& backend, const Graph& graph, Side to, Trainables& trainables,
                 const std::string& name, const LayerInput& x, std::int64_t width)
    : backend_(backend),
      graph_(graph),
      to_(to),
      map_(backend, trainables, to, name, x, width),
      order_(message_order(graph, to, x, x.learned_width(), width)) {
  const std::int64_t receivers = graph.num_nodes(to);
  if (order_ == MessageOrder::kLinearFirst) {
    state_ = backend.make_dense_state(x.nodes, width);
    sent_ = backend.allocate(x.nodes, width, {.gather = x.gather});
    if (trainables.train()) sent_gradient_ = backend.allocate(x.nodes, width);
    return;
  }
  state_ = backend.make_dense_state(receivers, width);
  const auto gather = [&](const Matrix& constant) {
    Matrix gathered = backend.allocate(receivers, constant.cols(), {.replicated = true});
    backend.propagate(graph, to, constant, gathered);
    backend.synchronize();
    return gathered;
  };
  if (x.numbers != nullptr) numbers_ = gather(*x.numbers);
  if (x.categories != nullptr) categories_ = gather(dense_categories(backend, *x.categories));
  if (x.learned != nullptr) {
    learned_ = backend.allocate(receivers, x.learned_width());
    if (trainables.train()) {
      learned_gradient_ = backend.allocate(receivers, x.learned_width(), {.gather = x.gather});
    }
  }
  Matrix ones = backend.allocate(x.nodes, 1, {.replicated = true});
  backend.fill(ones, 1.0);
  ones_ = gather(ones);
}

DenseLayer Message::dense_layer() const {
  DenseLayer layer{.activation = Activation::kNone};
  if (order_ == MessageOrder::kLinearFirst) {
    layer.inner = map_.sum();
    return layer;
  }
  std::vector<DenseTerm>& terms = layer.inner.terms;
  if (map_.numbers() != nullptr) terms.push_back({&numbers_, &map_.numbers()->value});
  if (map_.categories() != nullptr) terms.push_back({&categories_, &map_.categories()->value});
  if (map_.learned() != nullptr) terms.push_back({&learned_, &map_.learned()->value});
  // A node gets the bias times the sum of its neighbours' scales.
  terms.push_back({&ones_, &map_.bias().value});
  return layer;
}

void Message::forward(Matrix& h) {
  if (order_ == MessageOrder::kLinearFirst) {
    map_.multiply_categories();
    backend_.linear_relu_batchnorm(dense_layer(), DenseMode::kTraining, state_, sent_);
    backend_.propagate(graph_, to_, sent_, h);
    return;
  }
  if (map_.learned() != nullptr) backend_.propagate(graph_, to_, *map_.input().learned, learned_);
  backend_.linear_relu_batchnorm(dense_layer(), DenseMode::kTraining, state_, h);
}

void Message::backward(const Matrix& grad_h, const Matrix* addend, Matrix* grad_learned) {
  DenseGradients gradients;
  if (order_ == MessageOrder::kLinearFirst) {
    backend_.propagate(graph_, opposite(to_), grad_h, sent_gradient_);
    gradients.inner = map_.gradients(grad_learned, DenseTermGradients::Write::kAdd);
    backend_.linear_relu_batchnorm_backward(dense_layer(), state_, sent_gradient_, gradients);
    map_.differentiate_categories();
    return;
  }
  std::vector<DenseTermGradients>& terms = gradients.inner.terms;
  if (map_.numbers() != nullptr) terms.push_back({.weight = &map_.numbers()->gradient});
  if (map_.categories() != nullptr) terms.push_back({.weight = &map_.categories()->gradient});
  if (map_.learned() != nullptr) {
    terms.push_back({.input = &learned_gradient_, .weight = &map_.learned()->gradient});
  }
  terms.push_back({.weight = &map_.bias().gradient});
  backend_.linear_relu_batchnorm_backward(dense_layer(), state_, grad_h, gradients);
  if (map_.learned() != nullptr) {
    backend_.propagate(graph_, opposite(to_), learned_gradient_, *grad_learned, {.addend = addend});
  }
}

}  // namespace tern
