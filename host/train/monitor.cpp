#include "host/train/monitor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tern/inspect.hpp"

namespace tern {
namespace {

/// A sign that may pass in a healthy training counts only if so many checks in a row see it.
constexpr int kLooks = 2;
constexpr double kGrowth = 10.0;
/// Norms that the penalty holds grow by less from one check to the next.
constexpr double kGrowthSinceLastCheck = 1.1;
constexpr double kShareOfFirstRank = 0.25;

/// Counts a check; true if enough checks in a row have seen the sign.
bool seen_often(bool sign, int& looks) {
  looks = sign ? std::min(looks + 1, kLooks) : 0;
  return looks == kLooks;
}

}  // namespace

std::vector<std::string> find_collapse(std::string_view side, const EmbeddingStatistics& statistics,
                                       std::int64_t width, const MonitorOptions& options,
                                       CollapseWatch& watch) {
  std::vector<std::string> found;
  if (statistics.rows < 2) return found;
  const double norm = statistics.mean_norm;
  const double rank = statistics.effective_rank;
  const double first_norm = watch.first_norm.value_or(norm);
  const double first_rank = watch.first_rank.value_or(rank);
  const double last_norm = watch.last_norm.value_or(norm);
  watch.first_norm = first_norm;
  watch.first_rank = first_rank;
  watch.last_norm = norm;
  if (norm > options.max_norm) {
    found.push_back(fmt::format("the mean norm of {} is {:.3g} (monitor.max_norm {:g})", side, norm,
                                options.max_norm));
  }
  // Rows of width 1 are always parallel: only wider ones can collapse.
  if (width < 2) return found;
  const bool grows = norm > kGrowth * first_norm && norm > kGrowthSinceLastCheck * last_norm;
  if (seen_often(grows && statistics.mean_cosine > options.max_mean_cosine, watch.growing_norms)) {
    found.push_back(fmt::format(
        "the mean norm of {} has grown from {:.3g} to {:.3g}, and their mean cosine is {:.4f} "
        "(monitor.max_mean_cosine {:g})",
        side, first_norm, norm, statistics.mean_cosine, options.max_mean_cosine));
  }
  const bool flat = rank < std::min(options.min_rank, kShareOfFirstRank * first_rank);
  if (seen_often(flat, watch.small_ranks)) {
    found.push_back(
        fmt::format("the effective rank of {} is {:.2f}, after {:.1f} at the start "
                    "(monitor.min_rank {:g})",
                    side, rank, first_rank, options.min_rank));
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
  double norm = 0.0;
  for (const Parameter& parameter : model.parameters()) {
    if (parameter.side != side) continue;
    const EmbeddingStatistics found =
        backend.embedding_statistics(*parameter.gradient, StatisticsFigures::kNorms);
    norm = std::hypot(norm, found.total_norm);
  }
  return norm;
}

void clear_partial_gradients(Backend& backend, Model& model) {
  for (const Parameter& parameter : model.parameters()) {
    if (parameter.rows != nullptr) backend.fill(*parameter.gradient, 0.0);
  }
}

}  // namespace tern
