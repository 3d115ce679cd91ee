#include "host/train/determinism.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <span>
#include <type_traits>

#include "host/train/fitted_model.hpp"
#include "host/train/selection.hpp"
#include "tern/model.hpp"

namespace tern {
namespace {

template <typename Value>
std::optional<std::string> find_difference(const std::vector<Value>& a,
                                           const std::vector<Value>& b) {
  const auto bytes = [](const Value& value) { return std::as_bytes(std::span(&value, 1)); };
  std::size_t different = 0;
  std::size_t first = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::ranges::equal(bytes(a[i]), bytes(b[i]))) continue;
    if (different++ == 0) first = i;
  }
  if (different == 0) return std::nullopt;
  return fmt::format("differs in {} of {} elements, the first at {}: {} and {}", different,
                     a.size(), first, a[first], b[first]);
}

std::optional<std::string> find_difference(const Tensor& a, const Tensor& b) {
  if (a.shape != b.shape || a.values.index() != b.values.index()) return "has another shape";
  return std::visit(
      [&](const auto& values) {
        using Values = std::decay_t<decltype(values)>;
        return find_difference(values, std::get<Values>(b.values));
      },
      a.values);
}

/// The whole fit of a model without training.
ShortTraining fit(const Dataset& data, const Config& config) {
  const std::unique_ptr<ItemScorer> scorer = fit_model(data, config);
  ShortTraining training;
  training.metrics = evaluate_selection_split(*scorer, data, config).value_or(Metrics{});
  training.state.tensors = scorer->take_arrays().tensors;
  return training;
}

}  // namespace

ShortTraining train_briefly(Backend& backend, const Dataset& data, const Config& config,
                            std::int64_t steps) {
  if (is_fitted(config.model.kind)) return fit(data, config);
  Config brief = config;
  brief.epochs = static_cast<int>(std::min<std::int64_t>(steps, 1'000'000));
  brief.evaluate_every = 0;
  brief.monitor.on_collapse = CollapseAction::kIgnore;
  brief.on_nan = OnNan::kStop;
  Trainer trainer(backend, data, brief);
  std::int64_t done = 0;
  TrainerCallbacks callbacks;
  callbacks.on_step = [&](const StepProgress&) { ++done; };
  callbacks.should_stop = [&] { return done >= steps; };
  ShortTraining training;
  trainer.run(callbacks);
  training.state = trainer.state();
  training.state.progress.seconds = 0.0;
  const Graph graph = backend.make_graph(data.train);
  const Selection selection(backend, data, graph, brief);
  if (selection.possible()) {
    trainer.model().embed();
    training.metrics = selection.evaluate(trainer.model());
  }
  return training;
}

std::optional<std::string> find_difference(const ShortTraining& a, const ShortTraining& b) {
  if (a.state.tensors.size() != b.state.tensors.size() || a.metrics.size() != b.metrics.size()) {
    return "they hold different tensors or metrics";
  }
  for (const auto& [name, tensor] : a.state.tensors) {
    const auto other = b.state.tensors.find(name);
    if (other == b.state.tensors.end()) return name + " is in only one of them";
    if (const auto found = find_difference(tensor, other->second)) return name + " " + *found;
  }
  if (a.state.counters != b.state.counters) return "the model's counters differ";
  if (a.state.progress != b.state.progress) return "the training progress differs";
  for (std::size_t i = 0; i < a.metrics.size(); ++i) {
    if (a.metrics[i] != b.metrics[i]) {
      return fmt::format("{} differs: {} and {}", a.metrics[i].first, a.metrics[i].second,
                         b.metrics[i].second);
    }
  }
  return std::nullopt;
}

}  // namespace tern
