#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "host/report/sources.hpp"
#include "tern/backend.hpp"
#include "tern/dataset.hpp"
#include "tern/evaluation.hpp"
#include "tern/interactions.hpp"

namespace tern::report {

/// The held-out split that all rankings of a page are measured on, as `tern evaluate` measures it.
struct Contest {
  std::string split;  // "test" or "validation"
  const Interactions* train = nullptr;
  const Interactions* held_out = nullptr;
  std::vector<const Interactions*> observed;  // a user's items in these are not ranked
  std::vector<NodeId> users = {};             // with held-out items, ascending
  EvaluationOptions lists = {};
  std::int64_t k = 0;  // the greatest of lists.ks
};

/// On the test split, or on the validation split if there is no test split; none if there is neither. data must outlive it.
std::optional<Contest> find_contest(const Dataset& data, const EvaluationOptions& lists);

/// Interactions that the filter reads for all users: some seconds of a core.
inline constexpr double kMaxFilterSteps = 3e10;

/// Rankings of a contest's users with their metrics.
struct Ranking {
  std::vector<NodeId> lists = {};    // (users, k) items, -1 after the end of a shorter list
  Metrics means = {};                // to the bit those of evaluate()
  std::vector<double> by_user = {};  // (users, user_metrics().size())
};

/// The names of the metrics that a user has, in the order of Ranking::by_user: those of evaluate() without coverage.
std::vector<std::string> user_metrics(const Contest& contest);
/// Their index; throws ConfigError on another name.
std::size_t metric_column(const Contest& contest, const std::string& name);

/// By the model of a run, which it must have.
Ranking rank_by_model(const Contest& contest, const Source& source, Backend& backend);
/// By the number of training interactions of an item.
Ranking rank_by_popularity(const Contest& contest);
/// By the linear graph filter of one hop (linear_filter_rankings()); none if it would take longer than a page should: more than
/// kMaxFilterSteps, an upper limit of its work.
std::optional<Ranking> rank_by_linear_filter(const Contest& contest);

/// The whole lists of some users: (users, k) items as above.
std::vector<NodeId> rank_users(const Contest& contest, const Source& source, Backend& backend,
                               std::span<const NodeId> users, std::int64_t k);

}  // namespace tern::report
