#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tern/backend.hpp"
#include "tern/config.hpp"
#include "tern/interactions.hpp"

namespace tern {

/// Metrics by name, in the order of output: "recall@20", "precision@20", "ndcg@20",
/// "hit_rate@20", "mrr@20", "map@20", "coverage@20" for every k, and "users".
using Metrics = std::vector<std::pair<std::string, double>>;

/// The value of a metric. Throws ConfigError if no metric has this name.
double metric(const Metrics& metrics, std::string_view name);

/// Means over the users with at least one held-out item. All items are ranked except those that
/// the user has in any of `observed`. For a user with held-out set T and ranking i_1, i_2, ...,
/// with hit_j = [i_j ∈ T] and all sums over j = 1..k:
///
///   recall    = Σ hit_j / |T|
///   precision = Σ hit_j / k
///   ndcg      = Σ hit_j / log2(j + 1), divided by the same sum for min(k, |T|) leading hits
///   hit_rate  = [Σ hit_j > 0]
///   mrr       = 1 / rank of the first hit, 0 without a hit
///   map       = Σ hit_j · precision@j / min(k, |T|)
///   coverage  = distinct items recommended to anybody / I
///
/// Items are ranked by options.score; by cosine, a copy of `items` is made on the backend.
/// Ties by ascending item id. Users are summed in id order in f64: bitwise reproducible.
/// should_stop() is called between blocks of users; if it returns true, Interrupted is thrown.
/// Throws ConfigError on k < 1, or k above the number of items.
Metrics evaluate(Backend& backend, const Matrix& users, const Matrix& items,
                 std::span<const Graph* const> observed, const Interactions& held_out,
                 const EvaluationOptions& options, const std::function<bool()>& should_stop = {});

/// The same metrics from given rankings: (held_out.num_users(), k) item ids, -1 after the end of a
/// shorter list. Rows of users without held-out items are not read.
Metrics evaluate_rankings(std::span<const NodeId> rankings, std::int64_t k,
                          const Interactions& held_out, const EvaluationOptions& options);

}  // namespace tern
