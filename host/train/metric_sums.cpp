#include "host/train/metric_sums.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "host/config/keys.hpp"
#include "host/support/parallel.hpp"
#include "tern/error.hpp"

namespace tern {

std::vector<std::string> metric_names(const EvaluationOptions& options) {
  std::vector<std::string> names;
  for (const int k : options.ks) {
    for (const char* name : kUserMetrics) names.push_back(fmt::format("{}@{}", name, k));
    names.push_back(fmt::format("coverage@{}", k));
  }
  return names;
}

void check_ks(const EvaluationOptions& options, NodeId num_items) {
  Config config;
  config.evaluation = options;
  check_keys(config, "evaluation.");
  for (const int k : options.ks) {
    if (k > num_items) {
      throw ConfigError(
          fmt::format("evaluation.ks: found {}, but the data has only {} items", k, num_items));
    }
  }
}

bool shorten_default_ks(Config& config, NodeId num_items) {
  std::vector<int>& ks = config.evaluation.ks;
  const Config defaults;
  if (*std::ranges::max_element(ks) <= num_items || ks != defaults.evaluation.ks ||
      config.metric != defaults.metric) {
    return false;
  }
  std::erase_if(ks, [&](int k) { return k > num_items; });
  if (ks.empty()) ks.push_back(static_cast<int>(num_items));
  config.metric = fmt::format("ndcg@{}", ks.back());
  return true;
}

MetricSums::MetricSums(const EvaluationOptions& options, NodeId num_items) : ks_(options.ks) {
  check_ks(options, num_items);
  max_k_ = *std::max_element(ks_.begin(), ks_.end());
  ideal_.push_back(0.0);
  for (std::int64_t place = 0; place < max_k_; ++place) {
    discount_.push_back(1.0 / std::log2(static_cast<double>(place + 2)));
    ideal_.push_back(ideal_.back() + discount_.back());
  }
  best_place_.assign(static_cast<std::size_t>(num_items), static_cast<int>(max_k_));
  sums_.resize(ks_.size(), UserMetrics{});
}

void MetricSums::note_recommended(std::span<const NodeId> rankings) {
  for (std::size_t i = 0; i < rankings.size(); ++i) {
    const NodeId item = rankings[i];
    if (item < -1 || item >= static_cast<std::int64_t>(best_place_.size())) {
      throw ShapeError(
          fmt::format("a ranking has item {}, but there are {} items", item, best_place_.size()));
    }
    if (item < 0) continue;
    const int place = static_cast<int>(i % static_cast<std::size_t>(max_k_));
    int& best = best_place_[static_cast<std::size_t>(item)];
    best = std::min(best, place);
  }
}

void MetricSums::measure(std::span<const NodeId> ranking, std::span<const NodeId> wanted,
                         std::span<UserMetrics> out) const {
  const auto count = static_cast<std::int64_t>(wanted.size());
  for (std::size_t i = 0; i < ks_.size(); ++i) {
    const std::int64_t k = ks_[i];
    const std::int64_t reachable = std::min(k, count);
    double hits = 0.0;
    double gain = 0.0;
    double first = 0.0;
    double precisions = 0.0;
    for (std::int64_t place = 0; place < k; ++place) {
      const NodeId item = ranking[static_cast<std::size_t>(place)];
      if (item < 0) break;
      if (!std::binary_search(wanted.begin(), wanted.end(), item)) continue;
      const auto rank = static_cast<double>(place + 1);
      hits += 1.0;
      gain += discount_[static_cast<std::size_t>(place)];
      if (first == 0.0) first = 1.0 / rank;
      precisions += hits / rank;
    }
    out[i] = {hits / static_cast<double>(count),
              hits / static_cast<double>(k),
              gain / ideal_[static_cast<std::size_t>(reachable)],
              hits > 0.0 ? 1.0 : 0.0,
              first,
              precisions / static_cast<double>(reachable)};
  }
}

void MetricSums::add(std::span<const NodeId> users, std::span<const NodeId> rankings,
                     const Interactions& held_out) {
  note_recommended(rankings);
  const auto width = static_cast<std::size_t>(max_k_);
  block_.resize(users.size() * ks_.size());
  const auto count = static_cast<std::int64_t>(users.size());
  constexpr std::int64_t kUsersAtOnce = 64;
  parallel_for_blocks(count, kUsersAtOnce, [&](std::int64_t i) {
    const auto at = static_cast<std::size_t>(i);
    measure(rankings.subspan(at * width, width), held_out.row(users[at]),
            std::span(block_).subspan(at * ks_.size(), ks_.size()));
  });
  for (std::size_t i = 0; i < block_.size(); ++i) {
    UserMetrics& sum = sums_[i % ks_.size()];
    for (std::size_t metric = 0; metric < sum.size(); ++metric) sum[metric] += block_[i][metric];
  }
  users_ += count;
}

Metrics MetricSums::means() const {
  const std::vector<std::string> names = metric_names({ks_});
  const double divisor = users_ > 0 ? static_cast<double>(users_) : 1.0;
  const auto items = static_cast<double>(best_place_.size());
  Metrics metrics;
  for (std::size_t i = 0; i < ks_.size(); ++i) {
    for (const double sum : sums_[i]) metrics.emplace_back(names[metrics.size()], sum / divisor);
    const auto covered = std::count_if(best_place_.begin(), best_place_.end(),
                                       [&](int place) { return place < ks_[i]; });
    metrics.emplace_back(names[metrics.size()], static_cast<double>(covered) / items);
  }
  metrics.emplace_back("users", static_cast<double>(users_));
  return metrics;
}

}  // namespace tern
