// The limit that a case is held against, by hand.

#include "bench/support/limits.hpp"

#include <gtest/gtest.h>

namespace tern::test {
namespace {

using bench::Bound;
using bench::Ceilings;
using bench::Limit;
using bench::limit_of;
using bench::Place;

/// GB/s and GFLOP/s at the items: read 8, triad 6, copy 3, update 4, gather 2; product 100.
Ceilings ceilings() {
  Ceilings all;
  all.at(Place::kItems) = {.read = {{8e9, 7e9, 4e9}},
                           .copy = {{3e9}},
                           .update = {{4e9}},
                           .triad = {{6e9}},
                           .gather = {{2e9, 1e9, 1.6e9, 0.1e9, 1.6e9}},
                           .gather_bf16 = {}};
  all.product = {{100e9}};
  return all;
}

TEST(Limits, ACeilingIsTheBestRateAndItsSpreadReachesTheNextQuartile) {
  const bench::Ceiling gather = ceilings().at(Place::kItems).gather;
  EXPECT_DOUBLE_EQ(gather.best(), 2e9);
  EXPECT_DOUBLE_EQ(gather.spread(), 2.0 / 1.6 - 1.0);
  EXPECT_EQ(bench::Ceiling{}.best(), 0.0);
  EXPECT_EQ(bench::Ceiling{}.spread(), 0.0);
}

TEST(Limits, StreamsRunAtTheRateOfTheirMix) {
  const auto seconds = [](double bytes, double written) {
    return limit_of(Bound::kCopy, {.bytes = bytes, .written = written}, Side::kItem, ceilings())
        .seconds;
  };
  EXPECT_DOUBLE_EQ(seconds(8e9, 0.0), 1.0);
  EXPECT_DOUBLE_EQ(seconds(6e9, 2e9), 1.0);
  EXPECT_DOUBLE_EQ(seconds(4e9, 2e9), 1.0);  // the faster of copy and update
  EXPECT_DOUBLE_EQ(seconds(4e9, 4e9), 1.0);
  // A quarter of the way from triad to update, and half of the way from read to triad.
  EXPECT_NEAR(seconds(12e9, 4.5e9), 12 * (0.75 / 6 + 0.25 / 4), 1e-9);
  EXPECT_NEAR(seconds(12e9, 2e9), 12 * (0.5 / 8 + 0.5 / 6), 1e-9);
}

TEST(Limits, TheSlowestPartSetsTheLimit) {
  const Cost cost{.bytes = 5e9, .flops = 200e9, .written = 1e9, .gathered = 4e9};
  const Limit stream = limit_of(Bound::kCopy, cost, Side::kItem, ceilings());
  EXPECT_STREQ(stream.name, "memory");
  const Limit gather = limit_of(Bound::kGather, cost, Side::kItem, ceilings());
  EXPECT_STREQ(gather.name, "gather");
  EXPECT_DOUBLE_EQ(gather.seconds, 2.0);
  EXPECT_DOUBLE_EQ(gather.spread, 0.25);
  Cost heavy = cost;
  heavy.flops = 300e9;
  const Limit product = limit_of(Bound::kProduct, heavy, Side::kItem, ceilings());
  EXPECT_STREQ(product.name, "product");
  EXPECT_DOUBLE_EQ(product.seconds, 3.0);
  EXPECT_EQ(limit_of(Bound::kNone, cost, Side::kItem, ceilings()).seconds, 0.0);
}

TEST(Limits, RowsInBf16HaveACeilingOfTheirOwn) {
  Ceilings all = ceilings();
  all.gather_slack = 3.0;
  all.at(Place::kItems).gather_bf16 = {{1e9}};
  const Cost cost{.bytes = 4e9, .gathered = 4e9};
  const Limit f32 = limit_of(Bound::kGather, cost, Side::kItem, all, "f32");
  EXPECT_DOUBLE_EQ(f32.seconds, 2.0);
  EXPECT_DOUBLE_EQ(f32.slack, 3.0);
  EXPECT_DOUBLE_EQ(limit_of(Bound::kGather, cost, Side::kItem, all, "bf16").seconds, 4.0);
}

TEST(Limits, ACaseWithoutATableHasTheFastestLimits) {
  Ceilings all = ceilings();
  all.at(Place::kBatch) = all.at(Place::kItems);
  all.at(Place::kBatch).gather = {{4e9}};
  const Cost cost{.bytes = 4e9, .gathered = 4e9};
  EXPECT_DOUBLE_EQ(limit_of(Bound::kGather, cost, std::nullopt, all).seconds, 1.0);
  EXPECT_DOUBLE_EQ(limit_of(Bound::kGather, cost, Side::kItem, all).seconds, 2.0);
}

TEST(Limits, OnlyMoreThanTheSpreadIsImplausible) {
  const Limit limit{"memory", 1.0, 0.25};
  EXPECT_FALSE(limit.exceeded_by(1.5));
  EXPECT_FALSE(limit.exceeded_by(0.81));
  EXPECT_TRUE(limit.exceeded_by(0.79));
  EXPECT_TRUE((Limit{"gather", 1.0, 0.0}.exceeded_by(0.99)));
  EXPECT_FALSE((Limit{"gather", 1.0, 0.0, 3.0}.exceeded_by(0.3)));  // a GPU's L1
  EXPECT_TRUE((Limit{"gather", 1.0, 0.0, 3.0}.exceeded_by(0.2)));
  EXPECT_FALSE(Limit{}.exceeded_by(0.1));
  EXPECT_TRUE((Limit{"memory", 1.0, 700.0}.exceeded_by(0.79)));  // measured on a busy machine
}

}  // namespace
}  // namespace tern::test
