#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/backends.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/graphs.hpp"
#include "tests/support/matrices.hpp"
#include "tests/support/pairs.hpp"
#include "tests/support/sampling.hpp"

// Batches of in_batch_softmax with many tiles, a short last batch, rows that occur often, and wide
// tables.
namespace tern::test {
namespace {

std::vector<Values> softmax_results(Backend& backend, const PairBattery& battery,
                                    const InBatchSoftmaxOptions& options) {
  return pair_battery_results(backend, battery,
                              [&](Triplets& triplets, const Matrix& users, const Matrix& items,
                                  Matrix& grad_users, Matrix& grad_items, Matrix& losses) {
                                backend.in_batch_softmax(triplets, options, users, items,
                                                         grad_users, grad_items, losses);
                              });
}

class InBatchSoftmaxBattery : public BackendTest {
 protected:
  void check(const PairBattery& battery, const InBatchSoftmaxOptions& options) {
    SCOPED_TRACE("B " + std::to_string(battery.batch_size) + ", D " +
                 std::to_string(battery.width) + ", mask " +
                 std::to_string(static_cast<int>(options.mask)));
    const std::vector<Values> actual = softmax_results(backend_, battery, options);
    const std::vector<Values> expected = softmax_results(reference_, battery, options);
    // Errors of sums over a batch, of shares by those of logits.
    const double terms = summation_factor(static_cast<double>(battery.batch_size));
    EXPECT_TRUE(same_results(actual, expected, 2 * terms / options.temperature * epsilon()));
  }
};

TEST_P(InBatchSoftmaxBattery, ManyTilesAndAShortLastBatch) {
  for (const SoftmaxMask mask :
       {SoftmaxMask::kNone, SoftmaxMask::kSameItem, SoftmaxMask::kObserved}) {
    check({1700, 1600, 3}, {.temperature = 0.3, .negative_weight = 0.84, .mask = mask});
  }
}

/// The default batch, whose tiles are all full.
TEST_P(InBatchSoftmaxBattery, TheDefaultBatch) {
  check({2048, 2048, 3}, {.temperature = 0.12, .mask = SoftmaxMask::kSameItem});
}

TEST_P(InBatchSoftmaxBattery, WideTables) {
  for (const std::int64_t width : {128, 130, 260}) {
    check({140, 150, width}, {.temperature = 0.2, .popularity_correction = 0.5});
  }
}

TEST_P(InBatchSoftmaxBattery, RepeatsBitForBit) {
  if (!GetParam().repeats) GTEST_SKIP() << "float atomics add in another order each time";
  const PairBattery battery(250, 200, 33);
  const InBatchSoftmaxOptions options{.temperature = 0.2};
  const std::vector<Values> first = softmax_results(backend_, battery, options);
  const std::vector<Values> second = softmax_results(backend_, battery, options);
  for (std::size_t i = 0; i < first.size(); ++i) EXPECT_TRUE(same_bits(second[i], first[i])) << i;
}

INSTANTIATE_TEST_SUITE_P(Backends, InBatchSoftmaxBattery,
                         testing::ValuesIn(backends_of_batches_under_test()), backend_name);

}  // namespace
}  // namespace tern::test
