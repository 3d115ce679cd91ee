#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tern/config.hpp"
#include "tern/evaluation.hpp"
#include "tern/interactions.hpp"

namespace tern {

/// The per-user metrics, in the order in which they are shown.
inline constexpr std::array<const char*, 6> kUserMetrics{"recall",   "precision", "ndcg",
                                                         "hit_rate", "mrr",       "map"};

/// The names that evaluate() gives, in its order, without "users".
std::vector<std::string> metric_names(const EvaluationOptions& options);

/// Throws ConfigError unless there is a k, and every k is in [1, num_items].
void check_ks(const EvaluationOptions& options, NodeId num_items);

/// Takes those of the default ks that the data has items for, and ndcg at the largest of them as the metric, if the
/// data has fewer items than the largest. Returns whether it did: settings of one's own stay as they are.
bool shorten_default_ks(Config& config, NodeId num_items);

/// Sums of the metrics of tern/evaluation.hpp, by blocks of users. A block is measured in parallel, and
/// its users are summed in order.
class MetricSums {
 public:
  /// Of one user at one k, in the order of kUserMetrics.
  using UserMetrics = std::array<double, kUserMetrics.size()>;

  MetricSums(const EvaluationOptions& options, NodeId num_items);

  std::int64_t max_k() const noexcept { return max_k_; }

  /// rankings: (users.size(), max_k()) item ids, best first, -1 after the end of a shorter list.
  /// Each user has at least one held-out item. Throws ShapeError on an item that does not exist.
  void add(std::span<const NodeId> users, std::span<const NodeId> rankings,
           const Interactions& held_out);

  Metrics means() const;
  /// Of the users of the last add(): (users, ks), row-major. Their sums in this order are those of means().
  std::span<const UserMetrics> last_users() const noexcept { return block_; }

 private:
  void note_recommended(std::span<const NodeId> rankings);
  /// Writes the metrics of one user for every k to out, (ks_.size()).
  void measure(std::span<const NodeId> ranking, std::span<const NodeId> wanted,
               std::span<UserMetrics> out) const;

  std::vector<int> ks_;
  std::int64_t max_k_;
  std::vector<double> discount_;    // by place j from 0: 1 / log2(j + 2)
  std::vector<double> ideal_;       // by number of leading hits: the sum of their discounts
  std::vector<int> best_place_;     // by item: its best place with any user, max_k_ for none
  std::vector<UserMetrics> sums_;   // by k
  std::vector<UserMetrics> block_;  // (users of the block, ks)
  std::int64_t users_ = 0;
};

}  // namespace tern
