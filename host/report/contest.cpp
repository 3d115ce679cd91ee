#include "host/report/contest.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "host/serve/final_tables.hpp"
#include "host/train/cosine.hpp"
#include "host/train/metric_sums.hpp"
#include "tern/baselines.hpp"
#include "tern/error.hpp"

namespace tern::report {
namespace {

/// Users that are ranked at a time, so that their lists stay small beside the embeddings.
constexpr std::size_t kUsersAtOnce = 4096;

Ranking measure(const Contest& contest, std::vector<NodeId> lists) {
  MetricSums sums(contest.lists, contest.held_out->num_items());
  sums.add(contest.users, lists, *contest.held_out);
  Ranking ranking{.lists = std::move(lists), .means = sums.means()};
  for (const MetricSums::UserMetrics& metrics : sums.last_users()) {
    ranking.by_user.insert(ranking.by_user.end(), metrics.begin(), metrics.end());
  }
  return ranking;
}

std::vector<NodeId> rank_embeddings(const Contest& contest, const Source& source, Backend& backend,
                                    std::span<const NodeId> users, std::int64_t k) {
  const Matrix user_rows = upload_table(backend, source.embeddings->users);
  Matrix item_rows = upload_table(backend, source.embeddings->items);
  if (source.config.evaluation.score == ScoreKind::kCosine) {
    item_rows = normalized_copy(backend, item_rows);
  }
  std::vector<Graph> graphs;
  graphs.reserve(contest.observed.size());
  for (const Interactions* rows : contest.observed) graphs.push_back(backend.make_graph(*rows));
  std::vector<const Graph*> observed;
  observed.reserve(graphs.size());
  for (const Graph& graph : graphs) observed.push_back(&graph);
  std::vector<NodeId> lists;
  TopItems top;
  for (std::size_t begin = 0; begin < users.size(); begin += kUsersAtOnce) {
    const auto block = users.subspan(begin, std::min(kUsersAtOnce, users.size() - begin));
    backend.score_topk(user_rows, item_rows, block, observed, k, top);
    lists.insert(lists.end(), top.items.begin(), top.items.end());
  }
  return lists;
}

/// all: lists of every user.
Ranking measure_all(const Contest& contest, const std::vector<NodeId>& all) {
  std::vector<NodeId> lists;
  for (const NodeId user : contest.users) {
    const auto row = all.begin() + user * contest.k;
    lists.insert(lists.end(), row, row + contest.k);
  }
  return measure(contest, std::move(lists));
}

/// The interactions that the linear filter reads, at most: for each user, those of the users who share an item, each once.
double filter_steps(const Interactions& train) {
  std::vector<double> ways(static_cast<std::size_t>(train.num_items()), 0.0);
  for (NodeId user = 0; user < train.num_users(); ++user) {
    for (const NodeId item : train.row(user)) {
      ways[static_cast<std::size_t>(item)] += static_cast<double>(train.row(user).size());
    }
  }
  double steps = 0.0;
  for (NodeId user = 0; user < train.num_users(); ++user) {
    double of_user = 0.0;
    for (const NodeId item : train.row(user)) of_user += ways[static_cast<std::size_t>(item)];
    steps += std::min(of_user, static_cast<double>(train.size()));
  }
  return steps;
}

}  // namespace

std::optional<Contest> find_contest(const Dataset& data, const EvaluationOptions& lists) {
  const bool on_test = data.test.size() > 0;
  if (!on_test && data.valid.size() == 0) return std::nullopt;
  Contest contest{.split = on_test ? "test" : "validation",
                  .train = &data.train,
                  .held_out = on_test ? &data.test : &data.valid,
                  .observed = {&data.train},
                  .lists = lists};
  if (on_test) contest.observed.push_back(&data.valid);
  for (NodeId user = 0; user < contest.held_out->num_users(); ++user) {
    if (!contest.held_out->row(user).empty()) contest.users.push_back(user);
  }
  contest.k = *std::ranges::max_element(lists.ks);
  return contest;
}

std::vector<std::string> user_metrics(const Contest& contest) {
  std::vector<std::string> names = metric_names(contest.lists);
  std::erase_if(names, [](const std::string& name) { return name.starts_with("coverage@"); });
  return names;
}

std::size_t metric_column(const Contest& contest, const std::string& name) {
  const std::vector<std::string> names = user_metrics(contest);
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) throw ConfigError("no user has the metric " + name);
  return static_cast<std::size_t>(found - names.begin());
}

std::vector<NodeId> rank_users(const Contest& contest, const Source& source, Backend& backend,
                               std::span<const NodeId> users, std::int64_t k) {
  if (source.scorer == nullptr) return rank_embeddings(contest, source, backend, users, k);
  return rank_items(*source.scorer, {*contest.train, users, contest.observed, {}, k}).items;
}

Ranking rank_by_model(const Contest& contest, const Source& source, Backend& backend) {
  return measure(contest, rank_users(contest, source, backend, contest.users, contest.k));
}

Ranking rank_by_popularity(const Contest& contest) {
  return measure_all(contest, popularity_rankings(*contest.train, contest.observed, contest.k));
}

std::optional<Ranking> rank_by_linear_filter(const Contest& contest) {
  if (filter_steps(*contest.train) > kMaxFilterSteps) return std::nullopt;
  return measure_all(contest, linear_filter_rankings(*contest.train, contest.observed, contest.k));
}

}  // namespace tern::report
