#include "tests/support/pairs.hpp"

#include <algorithm>
#include <cmath>

#include "tests/support/graphs.hpp"

namespace tern::test {

PairProblem pair_problem_of(std::int64_t size, std::int64_t width, double scale) {
  const auto users = static_cast<NodeId>(size / 2 + 1);
  const auto items = static_cast<NodeId>(size / 3 + 3);
  std::vector<EdgeOffset> offsets{0};
  std::vector<NodeId> columns;
  std::vector<Triplet> pairs;
  for (NodeId user = 0; user < users; ++user) {
    // Two items a user; the last has as many as are missing. No user has every item.
    const std::int64_t degree =
        std::min<std::int64_t>(2, size - static_cast<std::int64_t>(columns.size()));
    std::vector<NodeId> row;
    for (std::int64_t k = 0; k < degree; ++k) {
      row.push_back(static_cast<NodeId>((user * 5 + k * 2) % items));
    }
    std::sort(row.begin(), row.end());
    row.erase(std::unique(row.begin(), row.end()), row.end());
    for (const NodeId item : row) {
      columns.push_back(item);
      pairs.push_back({user, item, static_cast<NodeId>((item + 1) % items)});
    }
    offsets.push_back(static_cast<EdgeOffset>(columns.size()));
  }
  std::reverse(pairs.begin(), pairs.end());
  return {{users, items, offsets, columns},
          pairs,
          width,
          random_values(users * width, 4, scale),
          random_values(items * width, 5, scale)};
}

void equalize_rows(Values& rows, std::int64_t width) {
  const auto row = static_cast<std::size_t>(width);
  for (std::size_t i = row; i < rows.size(); ++i) rows[i] = rows[i % row];
}

double divisor_of(const Values& rows, NodeId node, std::int64_t width) {
  double square = 0;
  for (std::int64_t d = 0; d < width; ++d) square += std::pow(rows[node * width + d], 2);
  return std::max(std::sqrt(square), 1e-12);
}

namespace {

Triplets triplets_of(Backend& backend, const Graph& graph, const PairProblem& problem) {
  const bool pairs = problem.pairs[0].negative == kNoItem;
  Triplets triplets = backend.make_triplets(
      graph, {.positives = PositiveSampling::kInteraction, .negatives_per_positive = pairs ? 0 : 1},
      problem.graph.size());
  backend.set_triplets(triplets, problem.pairs);
  return triplets;
}

}  // namespace

PairsOnBackend::PairsOnBackend(Backend& backend, const PairProblem& problem)
    : graph(backend.make_graph(problem.graph)),
      triplets(triplets_of(backend, graph, problem)),
      users(make_matrix(backend, problem.graph.num_users(), problem.width, problem.users)),
      items(make_matrix(backend, problem.graph.num_items(), problem.width, problem.items)) {}

PairOutputs run_pair_loss(Backend& backend, const PairProblem& problem, const PairLoss& loss) {
  PairsOnBackend on(backend, problem);
  Matrix grad_users = make_poisoned(backend, on.users.rows(), problem.width);
  Matrix grad_items = make_poisoned(backend, on.items.rows(), problem.width);
  Matrix losses = make_poisoned(backend, 2, 1);
  for (int call = 0; call < 2; ++call) {
    loss(on.triplets, on.users, on.items, grad_users, grad_items, losses);
  }
  return {values_of(backend, grad_users), values_of(backend, grad_items),
          values_of(backend, losses)};
}

PairBattery::PairBattery(std::int64_t pairs_in, std::int64_t batch_size_in, std::int64_t width_in)
    : graph(random_interactions(60, 50, 0.05, 7)), batch_size(batch_size_in), width(width_in) {
  for (std::int64_t t = 0; t < pairs_in; ++t) {
    const auto any = static_cast<NodeId>(t * 7919 % 104'729);
    const NodeId user = t % 3 == 0 ? 0 : any % 60;
    const NodeId item = t % 3 == 1 ? 0 : any % 50;
    pairs.push_back({user, std::min<NodeId>(item, 39), static_cast<NodeId>(any % 50)});
  }
}

std::vector<Triplet> PairBattery::epoch(std::int64_t size) const {
  std::vector<Triplet> all;
  for (std::int64_t t = 0; t < size; ++t) all.push_back(pairs[t % pairs.size()]);
  return all;
}

Triplets battery_triplets(Backend& backend, const Graph& graph, const PairBattery& battery) {
  const auto times = static_cast<std::int64_t>(battery.pairs.size()) / battery.graph.size() + 1;
  Triplets triplets = backend.make_triplets(
      graph, {.negatives_per_positive = static_cast<std::int32_t>(times)}, battery.batch_size);
  backend.set_triplets(triplets, battery.epoch(triplets.size()));
  return triplets;
}

std::vector<Values> pair_battery_results(Backend& backend, const PairBattery& battery,
                                         const PairLoss& loss) {
  const Graph graph = backend.make_graph(battery.graph);
  Triplets triplets = battery_triplets(backend, graph, battery);
  const std::int64_t width = battery.width;
  const Matrix users = make_matrix(backend, 60, width, random_values(60 * width, 1));
  const Matrix items = make_matrix(backend, 50, width, random_values(50 * width, 2));
  Matrix losses = make_poisoned(backend, 2, triplets.num_batches());
  std::vector<Values> results;
  for (std::int64_t batch = 0; batch < triplets.num_batches(); ++batch) {
    Matrix grad_users = make_poisoned(backend, 60, width);
    Matrix grad_items = make_poisoned(backend, 50, width);
    loss(triplets, users, items, grad_users, grad_items, losses);
    results.push_back(values_of(backend, grad_users));
    results.push_back(values_of(backend, grad_items));
    backend.next_batch(triplets);
  }
  Values first = values_of(backend, losses);
  first.resize(static_cast<std::size_t>(triplets.num_batches()));
  results.push_back(first);
  return results;
}

testing::AssertionResult same_results(const std::vector<Values>& actual,
                                      const std::vector<Values>& expected, double bound) {
  if (actual.size() != expected.size()) return testing::AssertionFailure() << "other results";
  for (std::size_t i = 0; i < actual.size(); ++i) {
    if (actual[i].size() != expected[i].size()) return testing::AssertionFailure() << "other sizes";
    double largest = 0;
    for (const double value : expected[i]) {
      if (!std::isnan(value)) largest = std::max(largest, std::abs(value));
    }
    for (std::size_t k = 0; k < actual[i].size(); ++k) {
      const bool same = std::isnan(expected[i][k])
                            ? std::isnan(actual[i][k])
                            : std::abs(actual[i][k] - expected[i][k]) <= bound * largest;
      if (same) continue;
      return testing::AssertionFailure() << "element " << k << " of result " << i << " is "
                                         << actual[i][k] << ", expected " << expected[i][k];
    }
  }
  return testing::AssertionSuccess();
}

}  // namespace tern::test
