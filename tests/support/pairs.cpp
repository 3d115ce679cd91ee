#include "tests/support/pairs.hpp"

#include <algorithm>
#include <cmath>

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

}  // namespace tern::test
