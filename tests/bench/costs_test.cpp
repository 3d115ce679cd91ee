// The formulas that benchmarks divide by, against counts made by walking over a small case.

#include "bench/support/costs.hpp"

#include <gtest/gtest.h>

#include "tern/interactions.hpp"

namespace tern {
namespace {

/// Counts the values, ids and operations while an op's loops run.
struct Tally {
  double bytes = 0.0;
  double flops = 0.0;
  void touch_values(std::int64_t count) { bytes += 4.0 * static_cast<double>(count); }
  void touch_ids(std::int64_t count) { bytes += 4.0 * static_cast<double>(count); }
  void touch_offsets(std::int64_t count) { bytes += 8.0 * static_cast<double>(count); }
  void compute(std::int64_t count) { flops += static_cast<double>(count); }
};

void expect_tally(const Cost& cost, const Tally& tally) {
  EXPECT_DOUBLE_EQ(cost.bytes, tally.bytes);
  EXPECT_DOUBLE_EQ(cost.flops, tally.flops);
}

/// Bytes and flops alone; the parts that are written and gathered have a test of their own.
void expect_cost(const Cost& cost, double bytes, double flops) {
  EXPECT_DOUBLE_EQ(cost.bytes, bytes);
  EXPECT_DOUBLE_EQ(cost.flops, flops);
}

Interactions small_graph() {
  const std::vector<Interaction> pairs{{0, 1}, {0, 3}, {2, 0}, {2, 1}, {2, 2}, {4, 3}};
  return Interactions::from_pairs(5, 4, pairs);
}

Tally walk_propagate(const Interactions& rows, std::int64_t width, bool addend,
                     double gathered = 4.0) {
  Tally tally;
  for (NodeId row = 0; row < rows.num_users(); ++row) {
    tally.touch_offsets(1);
    tally.touch_values(1);  // the row's scale
    for ([[maybe_unused]] const NodeId column : rows.row(row)) {
      tally.touch_ids(1);
      tally.touch_values(1);  // its scale
      tally.bytes += gathered * static_cast<double>(width);
      tally.compute(2 * width);
    }
    tally.compute(width);  // the row's scale
    if (addend) {
      tally.touch_values(width);
      tally.compute(width);
    }
    tally.touch_values(width);
  }
  return tally;
}

TEST(Costs, PropagateCountsEveryGather) {
  const Interactions rows = small_graph();
  for (const bool addend : {false, true}) {
    expect_tally(propagate_cost(rows.num_users(), rows.size(), 7, addend),
                 walk_propagate(rows, 7, addend));
    expect_tally(propagate_cost(rows.num_users(), rows.size(), 7, addend, 2.0),
                 walk_propagate(rows, 7, addend, 2.0));
  }
}

TEST(Costs, BprCountsScoresAndGradients) {
  const std::int64_t width = 5;
  const std::int64_t triplets = 6;
  const std::int64_t user_rows = 4;
  const std::int64_t item_rows = 9;
  Tally tally;
  for (std::int64_t t = 0; t < triplets; ++t) {
    tally.touch_ids(3);
    tally.touch_values(3 * width + 1);  // three rows read, one weight written
    tally.compute(3 * width);           // n - p, times u, added
    tally.touch_ids(1);                 // as an occurrence of its user
    tally.touch_values(1 + 2 * width);
    tally.compute(3 * width);
    for (int side = 0; side < 2; ++side) {  // of its positive and of its negative
      tally.touch_ids(1);
      tally.touch_values(1 + width);
      tally.compute(2 * width);
    }
  }
  tally.touch_values((user_rows + item_rows) * width);
  expect_tally(bpr_cost(triplets, user_rows, item_rows, width), tally);
}

TEST(Costs, SampledContrastCountsEachCosineThreeTimes) {
  const std::int64_t width = 5;
  Tally tally;
  for (int pair = 0; pair < 3; ++pair) {
    tally.touch_ids(1);  // the user, whose row stays for all of its cosines
    tally.touch_values(width);
    for (int item = 0; item < 1 + 4; ++item) {  // the positive, then four negatives
      tally.touch_ids(1);
      tally.touch_values(width + (item > 0 ? 1 : 0));
      tally.compute(2 * width);
      for (int side = 0; side < 2; ++side) {  // as an occurrence of its user and of its item
        tally.touch_ids(1);
        tally.touch_values(1 + width);
        tally.compute(2 * width);
      }
    }
  }
  tally.touch_values((2 + 9) * width);
  expect_tally(sampled_contrast_cost(3, 4, 2, 9, width), tally);
}

TEST(Costs, OptimisersCountEachArrayOnce) {
  Tally adam;
  Tally sgd;
  Tally momentum;
  for (int element = 0; element < 11; ++element) {
    adam.touch_values(1 + 3 * 2);
    // weight decay 2, first moment 3, second moment 4, root, its correction and ε 3, step 2
    adam.compute(2 + 3 + 4 + 3 + 2);
    sgd.touch_values(1 + 2);
    sgd.compute(2 + 2);
    momentum.touch_values(1 + 2 + 2);
    momentum.compute(2 + 2 + 2);
  }
  expect_tally(adam_cost(11), adam);
  Tally late;
  for (int element = 0; element < 11; ++element) {
    late.touch_values(3 * 2);
    // both moments 2, root, its correction and ε 3, quotient 1, step 2
    for (int step = 0; step < 4; ++step) late.compute(2 + 3 + 1 + 2);
  }
  expect_tally(adam_catch_up_cost(11, 4), late);
  expect_tally(sgd_cost(11, false), sgd);
  expect_tally(sgd_cost(11, true), momentum);
}

TEST(Costs, TablesAreReadOnce) {
  expect_cost(in_batch_softmax_cost(3, 4), 4.0 * 12 * 4, 6.0 * 9 * 4 + 3.0 * 9);
  expect_cost(alignment_uniformity_cost(3, 4), 4.0 * 12 * 4, 2.0 * (4.0 * 9 * 4 + 3.0 * 9));
  expect_cost(info_nce_cost(3, 4), 6.0 * 12 * 4, 6.0 * 9 * 4 + 3.0 * 9);
  expect_cost(l2_penalty_cost(3, 4), 3.0 * 12 * 4, 4.0 * 12);
  expect_cost(score_topk_cost(2, 3, 4), 5.0 * 4 * 4, 2.0 * 2 * 3 * 4);
  expect_cost(embedding_statistics_cost(3, 4), 48.0, 2.0 * 3 * 16);
  expect_cost(sample_cost(2), 2.0 * (12 + 16 + 4), 0.0);
}

TEST(Costs, TheDenseLayerCountsEveryPass) {
  const std::int64_t rows = 5;
  const std::int64_t inputs = 3 + 4;  // of both sums
  const std::int64_t cols = 2;
  Tally forward;
  Tally backward;
  for (std::int64_t r = 0; r < rows; ++r) {
    forward.touch_values(inputs);
    forward.touch_values(3 * cols);  // a written, a read, z written
    forward.compute(cols * 2 * inputs);
    forward.compute(cols * (2 + 1 + 2 + 4 + 4));
    backward.touch_values(2 * inputs);  // read, and their gradients
    backward.touch_values(4 * cols);
    backward.compute(cols * 2 * inputs * 2);
    backward.compute(cols * (5 + 5 + 2 + 2));
  }
  forward.touch_values(inputs * cols);
  backward.touch_values(2 * inputs * cols);
  expect_tally(dense_forward_cost(rows, inputs, cols), forward);
  expect_tally(dense_backward_cost(rows, inputs, cols), backward);
  expect_cost(dropout_cost(6), 48.0, 6.0);
  expect_cost(dropout_cost(6, 0.5), 36.0, 3.0);  // half of the rows are written as zeros, unread
  expect_cost(perturb_cost(6, 0), 48.0, 24.0);
  expect_cost(perturb_cost(6, 2), 64.0, 28.0);
  expect_cost(normalize_rows_cost(6, 0), 48.0, 18.0);
  expect_cost(normalize_rows_cost(6, 2), 64.0, 22.0);
  expect_cost(normalize_rows_backward_cost(6, 0), 72.0, 42.0);
  expect_cost(normalize_rows_backward_cost(6, 2), 80.0, 46.0);
}

TEST(Costs, WrittenAndGatheredBytesArePartsOfAll) {
  const double row = 4.0 * 7;  // bytes
  const Cost propagate = propagate_cost(5, 6, 7, true);
  EXPECT_EQ(propagate.gathered, 6 * row);
  EXPECT_EQ(propagate.written, 5 * row);
  const Cost bf16 = propagate_cost(5, 6, 7, true, 2.0);
  EXPECT_EQ(bf16.gathered, 6 * row / 2);
  EXPECT_EQ(propagate.bytes - bf16.bytes, 6 * row / 2);
  const Cost bpr = bpr_cost(6, 4, 9, 7);
  EXPECT_EQ(bpr.gathered, 6 * (3 + 2 + 1 + 1) * row);  // scores; user; positive and negative
  EXPECT_EQ(bpr.written, 6 * 4 + (4 + 9) * row);
  EXPECT_EQ(adam_cost(11).written, 3 * 44.0);
  EXPECT_EQ(sgd_cost(11, true).written, 2 * 44.0);
  for (const Cost& cost :
       {propagate, bpr, adam_cost(11), sgd_cost(11, false), sgd_cost(11, true),
        adam_catch_up_cost(11, 4), in_batch_softmax_cost(3, 4), alignment_uniformity_cost(3, 4),
        info_nce_cost(3, 4), sampled_contrast_cost(3, 4, 2, 9, 5), l2_penalty_cost(3, 4),
        dense_forward_cost(5, 7, 2), dense_backward_cost(5, 7, 2), dropout_cost(6),
        perturb_cost(6, 2), normalize_rows_cost(6, 2), normalize_rows_backward_cost(6, 2),
        sample_cost(2)}) {
    EXPECT_GT(cost.written, 0.0);
    EXPECT_LE(cost.written + cost.gathered, cost.bytes);
  }
}

TEST(Costs, SizesBeyondThirtyTwoBitsDoNotOverflow) {
  EXPECT_DOUBLE_EQ(adam_cost(std::int64_t{1} << 40).bytes, 28.0 * 0x1p40);
  EXPECT_DOUBLE_EQ(propagate_cost(0, std::int64_t{1} << 36, 64, false).flops, 128.0 * 0x1p36);
}

}  // namespace
}  // namespace tern
