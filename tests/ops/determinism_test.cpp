#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/backends.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/graphs.hpp"
#include "tests/support/training_step.hpp"

// The same bits whatever the number of threads: compares all backends of a family.
namespace tern::test {
namespace {

/// The results of every op on one backend.
std::vector<Values> results_of(Backend& backend, const Interactions& interactions,
                               std::int64_t width) {
  std::vector<Values> results;
  TrainingStep training(backend, interactions, width, interactions.size() / 3 + 1);
  for (std::uint32_t epoch = 0; epoch < 2; ++epoch) {
    training.sample(epoch);
    for (std::int64_t batch = 0; batch < training.num_batches(); ++batch) training.run();
    results.push_back(training.losses());
  }
  results.push_back(training.users());
  results.push_back(training.items());

  const NodeId num_users = interactions.num_users();
  const NodeId num_items = interactions.num_items();
  const Graph graph = backend.make_graph(interactions);
  const Matrix users = make_matrix(backend, num_users, width, training.users());
  const Matrix items = make_matrix(backend, num_items, width, training.items());
  Matrix to_users = backend.allocate(num_users, width);
  Matrix to_items = backend.allocate(num_items, width);
  backend.propagate(graph, Side::kUser, items, to_users, {.addend = &users, .scale = 0.5});
  backend.propagate(graph, Side::kItem, users, to_items, {.addend = &items, .scale = 0.5});
  results.push_back(values_of(backend, to_users));
  results.push_back(values_of(backend, to_items));

  // Pairs; the gradients begin as the propagated values.
  Triplets pairs =
      backend.make_triplets(graph, {.negatives_per_positive = 0}, interactions.size() / 3 + 1);
  Matrix losses = backend.allocate(2, pairs.num_batches());
  backend.sample(pairs, 1);
  backend.l2_penalty(pairs, 0.1, users, items, to_users, to_items, losses);
  for (const Matrix* written : {&to_users, &to_items, &losses}) {
    results.push_back(values_of(backend, *written));
  }

  SgdState state{backend.allocate(num_users, width)};
  const SgdOptions options{.momentum = 0.9, .weight_decay = 0.1};
  const Counter step = backend.make_counter(1);
  backend.sgd(options, step, users, to_users, state);
  backend.sgd(options, step, users, to_users, state);
  results.push_back(values_of(backend, to_users));

  const std::vector<NodeId> queries = random_rows(num_users, 1, 0.3);
  const Graph* observed[] = {&graph};
  TopItems top;
  backend.score_topk(users, items, queries, observed, 15, top);
  results.emplace_back(top.items.begin(), top.items.end());
  results.emplace_back(top.scores.begin(), top.scores.end());

  const EmbeddingStatistics s = backend.embedding_statistics(users);
  results.push_back({s.mean_norm, s.max_norm, s.mean_cosine, s.min_column_deviation,
                     s.max_column_deviation, s.effective_rank});
  results.push_back(s.gram);
  return results;
}

TEST(Determinism, OneFamilyGivesOneResult) {
  const std::vector<NamedGraph> graphs{
      {"dense", random_interactions(300, 200, 0.2, 4), {33}},
      {"tall", random_interactions(3000, 20, 0.1, 5), {16}},
  };
  for (const NamedGraph& graph : graphs) {
    // The first backend of each family, and its results.
    std::map<std::string, std::pair<std::string, std::vector<Values>>> families;
    for (const BackendCase& backend : backends_under_test()) {
      const auto results = results_of(*backend.make(), graph.interactions, graph.widths.front());
      const auto [first, is_new] = families.try_emplace(backend.family, backend.name, results);
      if (is_new) continue;
      ASSERT_EQ(results.size(), first->second.second.size());
      for (std::size_t i = 0; i < results.size(); ++i) {
        EXPECT_TRUE(same_bits(results[i], first->second.second[i]))
            << "result " << i << " of " << backend.name << " against " << first->second.first
            << " on " << graph.name;
      }
    }
  }
}

}  // namespace
}  // namespace tern::test
