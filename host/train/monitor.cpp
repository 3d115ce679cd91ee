#include "host/train/monitor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tern/inspect.hpp"

namespace tern {
std::vector<std::string> find_collapse(std::string_view side, const EmbeddingStatistics& statistics,
                                       std::int64_t width, const MonitorOptions& options) {
  std::vector<std::string> found;
  if (statistics.rows < 2) return found;
  if (statistics.mean_norm > options.max_norm) {
    found.push_back(fmt::format("the mean norm of {} is {:.3g} (monitor.max_norm {:g})", side,
                                statistics.mean_norm, options.max_norm));
  }
  // Rows of width 1 are always parallel: only wider ones can collapse.
  if (width < 2) return found;
  if (statistics.mean_cosine > options.max_mean_cosine) {
    found.push_back(
        fmt::format("the mean cosine between {} is {:.4f} (monitor.max_mean_cosine {:g})", side,
                    statistics.mean_cosine, options.max_mean_cosine));
  }
  const std::int64_t most = std::min(width, statistics.rows);
  if (statistics.effective_rank < options.min_rank_share * static_cast<double>(most)) {
    found.push_back(
        fmt::format("the effective rank of {} is {:.2f} of {} (monitor.min_rank_share {:g})", side,
                    statistics.effective_rank, most, options.min_rank_share));
  }
  return found;
}

std::string usual_causes(const Config& config, const Interactions& train) {
  const InteractionsSummary summary = summarize(train);
  const bool adam = config.optimizer.kind == OptimizerKind::kAdam;
  return fmt::format(
      "Usual causes: a loss summed inside the sigmoid instead of averaged over triplets (not with "
      "Tern's own), no regularisation (loss.l2 is {:g}), a learning rate that is too large "
      "(optimizer.learning_rate is {:g}), many nodes without interactions ({} of {})",
      config.l2, adam ? config.optimizer.adam.learning_rate : config.optimizer.sgd.learning_rate,
      summary.users.empty + summary.items.empty, summary.users.nodes + summary.items.nodes);
}

double gradient_norm(Backend& backend, Model& model, Side side) {
  double sum = 0.0;
  for (const Parameter& parameter : model.parameters()) {
    if (parameter.side != side) continue;
    std::vector<float> values(static_cast<std::size_t>(parameter.gradient->size()));
    backend.download(*parameter.gradient, std::span<float>(values));
    double squares = 0.0;
    for (const float value : values) squares += static_cast<double>(value) * value;
    sum += squares;
  }
  return std::sqrt(sum);
}

void clear_partial_gradients(Backend& backend, Model& model) {
  for (const Parameter& parameter : model.parameters()) {
    if (parameter.rows != nullptr) backend.fill(*parameter.gradient, 0.0);
  }
}

}  // namespace tern
