#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/backends.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/graphs.hpp"
#include "tests/support/matrices.hpp"
#include "tests/support/sampling.hpp"

// Batches of in_batch_softmax with many tiles, a short last batch, rows that occur often, and wide
// tables.
namespace tern::test {
namespace {

/// Pairs in batches, where user 0 and item 0 occur in every third pair.
struct SoftmaxBattery {
  Interactions graph;
  std::vector<Triplet> pairs;
  std::int64_t batch_size;
  std::int64_t width;

  SoftmaxBattery(std::int64_t pairs_in, std::int64_t batch_size_in, std::int64_t width_in)
      : graph(random_interactions(60, 50, 0.05, 7)), batch_size(batch_size_in), width(width_in) {
    for (std::int64_t t = 0; t < pairs_in; ++t) {
      const auto any = static_cast<NodeId>(t * 7919 % 104'729);
      const NodeId user = t % 3 == 0 ? 0 : any % 60;
      const NodeId item = t % 3 == 1 ? 0 : any % 50;
      // Items 40 and above are negatives only, in some of the batches.
      pairs.push_back({user, std::min<NodeId>(item, 39), static_cast<NodeId>(any % 50)});
    }
  }

  /// As many pairs as an epoch of the graph has.
  std::vector<Triplet> epoch(std::int64_t size) const {
    std::vector<Triplet> all;
    for (std::int64_t t = 0; t < size; ++t) all.push_back(pairs[t % pairs.size()]);
    return all;
  }
};

/// Gradients of every batch of an epoch, one after the other, then the losses.
std::vector<Values> softmax_results(Backend& backend, const SoftmaxBattery& battery,
                                    const InBatchSoftmaxOptions& options) {
  const Graph graph = backend.make_graph(battery.graph);
  // Negatives a positive: enough for an epoch to hold all pairs.
  const auto times = static_cast<std::int64_t>(battery.pairs.size()) / battery.graph.size() + 1;
  Triplets triplets = backend.make_triplets(
      graph, {.negatives_per_positive = static_cast<std::int32_t>(times)}, battery.batch_size);
  backend.set_triplets(triplets, battery.epoch(triplets.size()));
  const std::int64_t width = battery.width;
  const Matrix users = make_matrix(backend, 60, width, random_values(60 * width, 1));
  const Matrix items = make_matrix(backend, 50, width, random_values(50 * width, 2));
  Matrix losses = make_poisoned(backend, 2, triplets.num_batches());
  std::vector<Values> results;
  for (std::int64_t batch = 0; batch < triplets.num_batches(); ++batch) {
    Matrix grad_users = make_poisoned(backend, 60, width);
    Matrix grad_items = make_poisoned(backend, 50, width);
    backend.in_batch_softmax(triplets, options, users, items, grad_users, grad_items, losses);
    results.push_back(values_of(backend, grad_users));
    results.push_back(values_of(backend, grad_items));
    backend.next_batch(triplets);
  }
  Values first = values_of(backend, losses);
  first.resize(static_cast<std::size_t>(triplets.num_batches()));
  results.push_back(first);
  return results;
}

class InBatchSoftmaxBattery : public BackendTest {
 protected:
  void check(const SoftmaxBattery& battery, const InBatchSoftmaxOptions& options) {
    SCOPED_TRACE("B " + std::to_string(battery.batch_size) + ", D " +
                 std::to_string(battery.width) + ", mask " +
                 std::to_string(static_cast<int>(options.mask)));
    const std::vector<Values> actual = softmax_results(backend_, battery, options);
    const std::vector<Values> expected = softmax_results(reference_, battery, options);
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t i = 0; i < actual.size(); ++i) {
      ASSERT_EQ(actual[i].size(), expected[i].size());
      // Errors of sums over a batch, of shares by those of logits, beside the largest element.
      double largest = 0;
      for (const double value : expected[i]) {
        if (!std::isnan(value)) largest = std::max(largest, std::abs(value));
      }
      const double terms = summation_factor(static_cast<double>(battery.batch_size));
      const double bound = 2 * terms / options.temperature * epsilon() * largest;
      std::int64_t wrong = 0;
      for (std::size_t k = 0; k < actual[i].size(); ++k) {
        const bool same = std::isnan(expected[i][k])
                              ? std::isnan(actual[i][k])
                              : std::abs(actual[i][k] - expected[i][k]) <= bound;
        if (!same) ++wrong;
      }
      EXPECT_EQ(wrong, 0) << "elements of result " << i << " of " << actual[i].size();
    }
  }
};

TEST_P(InBatchSoftmaxBattery, ManyTilesAndAShortLastBatch) {
  for (const SoftmaxMask mask :
       {SoftmaxMask::kNone, SoftmaxMask::kSameItem, SoftmaxMask::kObserved}) {
    check({1700, 1600, 3}, {.temperature = 0.3, .negative_weight = 0.84, .mask = mask});
  }
}

TEST_P(InBatchSoftmaxBattery, WideTables) {
  for (const std::int64_t width : {128, 130, 260}) {
    check({140, 150, width}, {.temperature = 0.2, .popularity_correction = 0.5});
  }
}

TEST_P(InBatchSoftmaxBattery, RepeatsBitForBit) {
  if (!GetParam().repeats) GTEST_SKIP() << "float atomics add in another order each time";
  const SoftmaxBattery battery(250, 200, 33);
  const InBatchSoftmaxOptions options{.temperature = 0.2};
  const std::vector<Values> first = softmax_results(backend_, battery, options);
  const std::vector<Values> second = softmax_results(backend_, battery, options);
  for (std::size_t i = 0; i < first.size(); ++i) EXPECT_TRUE(same_bits(second[i], first[i])) << i;
}

INSTANTIATE_TEST_SUITE_P(Backends, InBatchSoftmaxBattery,
                         testing::ValuesIn(backends_of_batches_under_test()), backend_name);

}  // namespace
}  // namespace tern::test
