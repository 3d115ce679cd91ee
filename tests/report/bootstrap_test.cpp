#include "host/report/bootstrap.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "host/support/parallel.hpp"

namespace tern::report {
namespace {

TEST(Bootstrap, EqualDifferencesHaveNoSpread) {
  const std::vector<double> values{0.25, -1.0, 0.25, -1.0, 0.25, -1.0};
  const std::vector<Interval> found = bootstrap(values, 2, Seed{1});
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].low, 0.25);
  EXPECT_EQ(found[0].mean, 0.25);
  EXPECT_EQ(found[0].high, 0.25);
  EXPECT_EQ(found[1].low, -1.0);
  EXPECT_EQ(found[1].high, -1.0);
}

// With 900 rows of +1 or -1, the mean of a sample has the deviation 1/30, and 95% of the samples lie within 1.96 of it.
TEST(Bootstrap, HasTheWidthOfTheNormalLaw) {
  std::vector<double> values;
  for (int i = 0; i < 900; ++i) values.push_back(i % 3 == 0 ? -1.0 : 1.0);
  const Interval found = bootstrap(values, 1, Seed{2}).front();
  const double deviation = std::sqrt(1.0 - 1.0 / 9.0) / 30.0;
  EXPECT_NEAR(found.mean, 1.0 / 3.0, 1e-12);
  EXPECT_NEAR(found.low, 1.0 / 3.0 - 1.96 * deviation, 0.2 * deviation);
  EXPECT_NEAR(found.high, 1.0 / 3.0 + 1.96 * deviation, 0.2 * deviation);
}

TEST(Bootstrap, DrawsWholeRows) {
  std::vector<double> values;
  for (int i = 0; i < 50; ++i) {
    values.push_back(i * i % 17);
    values.push_back(-2.0 * (i * i % 17));
  }
  const std::vector<Interval> found = bootstrap(values, 2, Seed{3});
  EXPECT_NEAR(found[1].low, -2.0 * found[0].high, 1e-12);
  EXPECT_NEAR(found[1].high, -2.0 * found[0].low, 1e-12);
}

TEST(Bootstrap, HasTheSameBitsForAnyNumberOfThreads) {
  std::vector<double> values;
  for (int i = 0; i < 333; ++i) values.push_back(std::sin(i));
  std::vector<Interval> found;
  for (const int threads : {1, 3, 4}) {
    const ThreadLimit limit(threads);
    found.push_back(bootstrap(values, 1, Seed{4}).front());
    EXPECT_EQ(found.back().low, found.front().low);
    EXPECT_EQ(found.back().high, found.front().high);
  }
  EXPECT_LT(found.front().low, found.front().high);
  EXPECT_NE(bootstrap(values, 1, Seed{5}).front().low, found.front().low);
}

}  // namespace
}  // namespace tern::report
