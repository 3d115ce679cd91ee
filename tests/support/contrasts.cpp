#include "tests/support/contrasts.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/compare.hpp"

namespace tern::test {

ContrastProblem contrast_problem_of(std::int64_t pairs, int negatives, std::int64_t batch_pairs,
                                    std::int64_t width, double scale) {
  const auto users = static_cast<NodeId>(pairs / 3 + 2);
  const auto items = static_cast<NodeId>(pairs / 4 + 5);
  std::vector<EdgeOffset> offsets{0};
  std::vector<NodeId> columns;
  for (NodeId user = 0; user < users; ++user) {
    const std::int64_t missing = pairs - static_cast<std::int64_t>(columns.size());
    for (NodeId k = 0; k < std::min<std::int64_t>(3, missing); ++k) {
      columns.push_back((user + k) % (items - 3) + k % 2);
    }
    const auto begin = columns.begin() + offsets.back();
    std::sort(begin, columns.end());
    columns.erase(std::unique(begin, columns.end()), columns.end());
    offsets.push_back(static_cast<EdgeOffset>(columns.size()));
  }
  ContrastProblem problem{{users, items, offsets, columns},
                          {},
                          negatives,
                          batch_pairs * negatives,
                          width,
                          random_values(users * width, 4, scale),
                          random_values(items * width, 5, scale)};
  for (NodeId user = users; user-- > 0;) {
    for (const NodeId item : problem.graph.row(user)) {
      for (NodeId k = 0; k < negatives; ++k) {
        problem.triplets.push_back({user, item, (user * 5 + k * k + 1) % items});
      }
    }
  }
  return problem;
}

std::vector<ContrastOutputs> run_sampled_loss(Backend& backend, const ContrastProblem& problem,
                                              const PairLoss& loss, SamplingOptions sampling) {
  sampling.positives = PositiveSampling::kInteraction;
  sampling.negatives_per_positive = problem.negatives;
  const Graph graph = backend.make_graph(problem.graph);
  Triplets triplets = backend.make_triplets(graph, sampling, problem.batch);
  backend.set_triplets(triplets, problem.triplets);
  const NodeId num_users = problem.graph.num_users();
  const NodeId num_items = problem.graph.num_items();
  const Matrix users = make_matrix(backend, num_users, problem.width, problem.users);
  const Matrix items = make_matrix(backend, num_items, problem.width, problem.items);
  std::vector<ContrastOutputs> outputs;
  for (std::int64_t batch = 0; batch < triplets.num_batches(); ++batch) {
    Matrix grad_users = make_poisoned(backend, num_users, problem.width);
    Matrix grad_items = make_poisoned(backend, num_items, problem.width);
    Matrix losses = make_poisoned(backend, 2, triplets.num_batches());
    for (int call = 0; call < 2; ++call) {  // the second finds the workspace of the first
      loss(triplets, users, items, grad_users, grad_items, losses);
    }
    outputs.push_back({values_of(backend, grad_users), values_of(backend, grad_items),
                       values_of(backend, losses)});
    backend.next_batch(triplets);
  }
  return outputs;
}

std::vector<ContrastOutputs> run_contrast(Backend& backend, const ContrastProblem& problem,
                                          const SampledContrastOptions& options) {
  return run_sampled_loss(backend, problem,
                          [&](Triplets& triplets, const Matrix& users, const Matrix& items,
                              Matrix& grad_users, Matrix& grad_items, Matrix& losses) {
                            backend.sampled_contrast(triplets, options, users, items, grad_users,
                                                     grad_items, losses);
                          });
}

void expect_contrast_repeats(Backend& backend, const ContrastProblem& problem,
                             const SampledContrastOptions& options) {
  const std::vector<ContrastOutputs> one = run_contrast(backend, problem, options);
  const std::vector<ContrastOutputs> other = run_contrast(backend, problem, options);
  ASSERT_EQ(one.size(), other.size());
  for (std::size_t b = 0; b < one.size(); ++b) {
    EXPECT_TRUE(same_bits(one[b].grad_users, other[b].grad_users));
    EXPECT_TRUE(same_bits(one[b].grad_items, other[b].grad_items));
    EXPECT_TRUE(same_bits(one[b].losses, other[b].losses));
  }
}

}  // namespace tern::test
