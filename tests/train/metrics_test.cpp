// Metrics equal those of computations that share no code with Tern: NumPy's, and loops written from the
// definitions.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "tern/evaluation.hpp"

namespace tern::test {
namespace {

using Lists = std::vector<std::vector<NodeId>>;

Metrics metrics_of(const Lists& ranked, const Lists& wanted, NodeId num_items,
                   const std::vector<int>& ks) {
  std::vector<NodeId> rankings;
  for (const std::vector<NodeId>& list : ranked) {
    rankings.insert(rankings.end(), list.begin(), list.end());
  }
  std::vector<Interaction> pairs;
  for (std::size_t user = 0; user < wanted.size(); ++user) {
    for (const NodeId item : wanted[user]) pairs.push_back({static_cast<NodeId>(user), item});
  }
  const Interactions held_out =
      Interactions::from_pairs(static_cast<NodeId>(wanted.size()), num_items, pairs);
  return evaluate_rankings(rankings, static_cast<std::int64_t>(ranked.front().size()), held_out,
                           EvaluationOptions{ks});
}

// The values were computed by:
//
//   import numpy as np
//   rng = np.random.default_rng(7)
//   users, items, k = 4, 12, 10
//   ranked = np.array([rng.permutation(items)[:k] for _ in range(users)])
//   wanted = [sorted(rng.choice(items, n, replace=False).tolist()) for n in (1, 3, 5, 11)]
//   for k in (1, 3, 10):
//       hit = np.array([np.isin(r[:k], w) for r, w in zip(ranked, wanted)], float)  # (users, k)
//       rank = np.arange(1, k + 1)
//       size = np.array([len(w) for w in wanted])
//       gain = 1 / np.log2(rank + 1)
//       recall = hit.sum(1) / size
//       precision = hit.mean(1)
//       ndcg = hit @ gain / np.array([gain[:min(k, n)].sum() for n in size])
//       first = np.where(hit.any(1), hit.argmax(1) + 1, np.inf)
//       ap = (hit * hit.cumsum(1) / rank).sum(1) / np.minimum(k, size)
//       print(k, [x.mean() for x in (recall, precision, ndcg, hit.any(1), 1 / first, ap)])
TEST(Metrics, AreThoseOfNumPy) {
  const Lists ranked{{4, 6, 10, 0, 1, 3, 8, 7, 2, 5},
                     {4, 10, 6, 3, 0, 11, 5, 2, 8, 7},
                     {0, 10, 5, 4, 11, 9, 6, 2, 7, 3},
                     {10, 2, 7, 8, 3, 9, 0, 1, 6, 4}};
  const Lists wanted{{2}, {7, 9, 10}, {0, 2, 4, 6, 9}, {0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11}};
  const Metrics found = metrics_of(ranked, wanted, 12, {1, 3, 10});
  const std::array<const char*, 6> names{"recall", "precision", "ndcg", "hit_rate", "mrr", "map"};
  const auto expect = [&](int k, const std::array<double, 6>& values) {
    for (std::size_t m = 0; m < names.size(); ++m) {
      const std::string name = std::string(names[m]).append("@").append(std::to_string(k));
      EXPECT_NEAR(metric(found, name), values[m], 1e-14) << name;
    }
  };
  expect(1, {0.07272727272727272, 0.5, 0.5, 0.5, 0.5, 0.5});
  expect(3, {0.2015151515151515, 0.41666666666666663, 0.4413401592471554, 0.75, 0.625, 0.375});
  expect(10, {0.8712121212121212, 0.42500000000000004, 0.6184267885904065, 1.0, 0.6527777777777778,
              0.45479166666666665});
}

/// A metric of one user at k, by its definition.
double by_definition(const std::string& name, const std::vector<NodeId>& ranked,
                     const std::vector<NodeId>& wanted, int k) {
  double hits = 0.0;
  double gain = 0.0;
  double first = 0.0;
  double precisions = 0.0;
  for (int j = 1; j <= k; ++j) {
    bool hit = false;
    for (const NodeId item : wanted) hit = hit || item == ranked[static_cast<std::size_t>(j - 1)];
    if (!hit) continue;
    hits += 1.0;
    gain += std::log(2.0) / std::log(j + 1.0);
    if (first == 0.0) first = 1.0 / j;
    precisions += hits / j;
  }
  const auto size = static_cast<double>(wanted.size());
  double ideal = 0.0;
  for (int j = 1; j <= k && j <= size; ++j) ideal += std::log(2.0) / std::log(j + 1.0);
  if (name == "recall") return hits / size;
  if (name == "precision") return hits / k;
  if (name == "ndcg") return gain / ideal;
  if (name == "hit_rate") return hits > 0.0 ? 1.0 : 0.0;
  if (name == "mrr") return first;
  return precisions / std::min<double>(k, size);
}

TEST(Metrics, AreThoseOfTheirDefinitions) {
  std::mt19937 random(11);
  const std::vector<int> ks{1, 2, 5, 10, 20, 37};
  for (int round = 0; round < 20; ++round) {
    const auto num_items = static_cast<NodeId>(40 + random() % 60);
    const std::size_t num_users = 1 + random() % 50;
    Lists ranked;
    Lists wanted;
    for (std::size_t user = 0; user < num_users; ++user) {
      std::vector<NodeId> items(static_cast<std::size_t>(num_items));
      std::iota(items.begin(), items.end(), 0);
      std::shuffle(items.begin(), items.end(), random);
      ranked.emplace_back(items.begin(), items.begin() + ks.back());
      std::shuffle(items.begin(), items.end(), random);
      wanted.emplace_back(items.begin(), items.begin() + 1 + random() % 39);
    }
    const Metrics found = metrics_of(ranked, wanted, num_items, ks);
    EXPECT_EQ(metric(found, "users"), static_cast<double>(num_users));
    for (const char* name : {"recall", "precision", "ndcg", "hit_rate", "mrr", "map"}) {
      for (const int k : ks) {
        double sum = 0.0;
        for (std::size_t user = 0; user < num_users; ++user) {
          sum += by_definition(name, ranked[user], wanted[user], k);
        }
        const std::string of = std::string(name).append("@").append(std::to_string(k));
        EXPECT_NEAR(metric(found, of), sum / static_cast<double>(num_users), 1e-12) << of;
      }
    }
  }
}

}  // namespace
}  // namespace tern::test
