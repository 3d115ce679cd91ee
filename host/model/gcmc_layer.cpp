#include "host/model/gcmc_layer.hpp"

#include <fmt/format.h>

#include <cmath>

namespace tern {

GcMcLayer::Half::Half(Backend& backend, const Graph& graph, Side side, Trainables& trainables,
                      const std::string& name, const std::array<LayerInput, 2>& inputs,
                      std::int64_t width, const MatrixOptions& output)
    : self(backend, trainables, side, name + "_self", inputs[static_cast<std::size_t>(side)],
           width),
      message(backend, graph, side, trainables, name + "_message",
              inputs[static_cast<std::size_t>(opposite(side))], width),
      mix_weight(trainables.make(side, name + "_mix_weight", width, width)),
      mix_bias(trainables.make(side, name + "_mix_bias", 1, width)),
      norm_scale(trainables.make(side, name + "_norm_scale", 1, width)),
      norm_shift(trainables.make(side, name + "_norm_shift", 1, width)),
      running_mean(backend.allocate(1, width)),
      running_variance(backend.allocate(1, width)),
      state(backend.make_dense_state(graph.num_nodes(side), width)),
      h(backend.allocate(graph.num_nodes(side), width)),
      z(backend.allocate(graph.num_nodes(side), width, output)) {
  if (!trainables.train()) return;
  const bool propagated = message.order() == MessageOrder::kLinearFirst;
  const GatherPrecision own = GatherPrecision::kOwn;
  h_gradient =
      backend.allocate(h.rows(), width, {.gather = propagated ? self.input().gather : own});
  z_gradient = backend.allocate(z.rows(), width);
}

DenseLayer GcMcLayer::Half::dense_layer() {
  return {.inner = self.sum(),
          .outer = {.terms = {{&h, &mix_weight.value}}, .bias = &mix_bias.value},
          .batch_norm = BatchNorm{.scale = &norm_scale.value,
                                  .shift = &norm_shift.value,
                                  .running_mean = &running_mean,
                                  .running_variance = &running_variance}};
}

GcMcLayer::GcMcLayer(Backend& backend, const Graph& graph, Trainables& trainables, int number,
                     const std::array<LayerInput, 2>& inputs, std::int64_t width,
                     const std::array<MatrixOptions, 2>& outputs)
    : backend_(backend), number_(number), name_(fmt::format("layer{}", number)) {
  for (const Side side : kSides) {
    halves_[static_cast<std::size_t>(side)] =
        std::make_unique<Half>(backend, graph, side, trainables, name_, inputs, width,
                               outputs[static_cast<std::size_t>(side)]);
  }
  if (!trainables.train()) return;
  for (const Side side : kSides) {
    const LayerInput& input = half(side).self.input();
    if (input.learned != nullptr &&
        half(opposite(side)).message.order() == MessageOrder::kPropagateFirst) {
      half(side).self_gradient = backend.allocate(input.nodes, input.learned_width());
    }
  }
}

void GcMcLayer::drop(const GcMcDropout& dropout, Side side, Matrix& values) {
  // Two places for each side and layer.
  const auto place = static_cast<std::uint32_t>(4 * number_ + 2 * static_cast<int>(side));
  using Unit = DropoutOptions::Unit;
  if (dropout.elements > 0.0) {
    backend_.dropout({dropout.elements, Unit::kElement, dropout.seed, place}, *dropout.step,
                     values);
  }
  if (dropout.messages > 0.0) {
    backend_.dropout({dropout.messages, Unit::kRow, dropout.seed, place + 1}, *dropout.step,
                     values);
  }
}

void GcMcLayer::forward(DenseMode mode, const GcMcDropout& dropout) {
  for (const Side side : kSides) {
    Half& of = half(side);
    of.message.forward(of.h);
    if (mode == DenseMode::kTraining) drop(dropout, side, of.h);
    of.self.multiply_categories();
    backend_.linear_relu_batchnorm(of.dense_layer(), mode, of.state, of.z);
  }
}

Matrix* GcMcLayer::self_target(Side side) {
  Half& of = half(side);
  return of.self_gradient.empty() ? of.self.input().learned_gradient : &of.self_gradient;
}

void GcMcLayer::backward(const GcMcDropout& dropout) {
  for (const Side side : kSides) {
    Half& of = half(side);
    DenseGradients gradients{
        .inner = of.self.gradients(self_target(side), DenseTermGradients::Write::kOverwrite),
        .outer = {.terms = {{.input = &of.h_gradient, .weight = &of.mix_weight.gradient}},
                  .bias = &of.mix_bias.gradient},
        .scale = &of.norm_scale.gradient,
        .shift = &of.norm_shift.gradient};
    backend_.linear_relu_batchnorm_backward(of.dense_layer(), of.state, of.z_gradient, gradients);
    of.self.differentiate_categories();
    drop(dropout, side, of.h_gradient);
  }
  for (const Side side : kSides) {
    const Side sender = opposite(side);
    half(side).message.backward(half(side).h_gradient, self_target(sender),
                                half(sender).self.input().learned_gradient);
  }
}

std::vector<NamedBuffer> GcMcLayer::buffers() {
  std::vector<NamedBuffer> all;
  for (const Side side : kSides) {
    const std::string prefix = fmt::format("{}_{}", to_string(side), name_);
    all.push_back({prefix + "_norm_running_mean", &half(side).running_mean});
    all.push_back({prefix + "_norm_running_variance", &half(side).running_variance});
  }
  return all;
}

void GcMcLayer::initialize(TensorSeeds& seeds) {
  for (const Side side : kSides) {
    half(side).self.initialize(seeds);
    half(side).message.map().initialize(seeds);
    Trainable& mix = half(side).mix_weight;
    const double bound = 1.0 / std::sqrt(static_cast<double>(mix.value.rows()));
    initialize_uniform(backend_, mix.value, bound, seeds.seed, seeds.next++);
    initialize_uniform(backend_, half(side).mix_bias.value, bound, seeds.seed, seeds.next++);
    backend_.fill(half(side).running_mean, 0.0);
    backend_.fill(half(side).running_variance, 1.0);
    backend_.fill(half(side).norm_scale.value, 1.0);
    backend_.fill(half(side).norm_shift.value, 0.0);
  }
}

}  // namespace tern
