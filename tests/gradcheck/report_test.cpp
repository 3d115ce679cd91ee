// The report of gradcheck: which errors it keeps, and how they are measured.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "host/gradcheck/checks.hpp"

namespace tern::test {
namespace {

using namespace gradcheck_detail;

GradcheckResult line(std::string quantity, double error, double bound) {
  return {.subject = "op",
          .quantity = std::move(quantity),
          .method = "m",
          .backend = "b",
          .error = error,
          .bound = bound};
}

TEST(Report, KeepsTheWorstAndNaNAboveAll) {
  Report report;
  const auto add = [&](double error, const char* quantity = "y") {
    report.add(line(quantity, error, 1.0));
  };
  add(0.5);
  add(0.25);
  add(2.0);
  add(0.0, "z");
  add(std::nan(""));
  add(7.0);
  const std::vector<GradcheckResult> results = report.take();
  ASSERT_EQ(results.size(), 2u);
  EXPECT_TRUE(std::isnan(results[0].error));
  EXPECT_FALSE(results[0].passed());
  EXPECT_TRUE(results[1].passed());
}

TEST(Report, KeepsTheErrorThatIsWorstBesideItsOwnBound) {
  Report report;
  report.add(line("y", 2.0, 4.0));
  report.add(line("y", 3.0, 8.0));
  report.add(line("z", 3.0, 8.0));
  report.add(line("z", 2.0, 1.0));
  report.add(line("differ", 0.0, 0.0));
  report.add(line("differ", 1.0, 0.0));
  const std::vector<GradcheckResult> results = report.take();
  EXPECT_EQ(results[0].error, 2.0);
  EXPECT_EQ(results[0].bound, 4.0);
  EXPECT_EQ(results[1].error, 2.0);
  EXPECT_FALSE(results[1].passed());
  EXPECT_FALSE(results[2].passed());
}

TEST(Report, ErrorsAreRelativeToTheLargestElement) {
  EXPECT_DOUBLE_EQ(relative_error({1.0, -7.0}, {1.0, -8.0}), 0.125);
  EXPECT_DOUBLE_EQ(relative_error({0.5}, {0.0}), 0.5);
  EXPECT_EQ(relative_error({0.5}, {0.5, 0.5}), std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(relative_error({std::nan("")}, {1.0})));
}

TEST(Report, NamesTheElementThatDiffersMost) {
  Report report;
  report.add(line("y", 0.0, 1.0), {1.0, -7.0, 3.0}, {1.0, -8.0, 3.5}, 8.0);
  report.add(line("z", 0.0, 1.0), {1.0, std::nan(""), 9.0}, {1.0, 2.0, 3.0}, 1.0);
  const std::vector<GradcheckResult> results = report.take();
  EXPECT_EQ(results[0].error, 0.125);
  EXPECT_EQ(results[0].element, 1);
  EXPECT_EQ(results[0].found, -7.0);
  EXPECT_EQ(results[0].expected, -8.0);
  EXPECT_EQ(results[1].element, 1);
  EXPECT_FALSE(results[1].passed());
}

TEST(Report, TheBoundGrowsWithTheConditionUpToALimit) {
  constexpr double kEpsilon = 0x1p-24;
  EXPECT_DOUBLE_EQ(comparison_bound(16, 0.0), 24.0 * kEpsilon);
  EXPECT_DOUBLE_EQ(comparison_bound(16, 1e3), 16e3 * kEpsilon);
  EXPECT_DOUBLE_EQ(comparison_bound(16, 1e4), 16e4 * kEpsilon);
  EXPECT_DOUBLE_EQ(comparison_bound(16, 1.001e4), 24.0 * kEpsilon);
  EXPECT_DOUBLE_EQ(comparison_bound(16, std::nan("")), 24.0 * kEpsilon);
}

TEST(Report, AProblemThatIsTooIllConditionedDoesNotPass) {
  const auto result = [](double error, double condition) {
    GradcheckResult made = line("y", error, comparison_bound(16, condition));
    made.condition = condition;
    return made;
  };
  EXPECT_TRUE(result(5e-3, 9e3).passed());
  EXPECT_FALSE(result(5e-3, 9e3).too_ill_conditioned());
  EXPECT_FALSE(result(5e-3, 2e4).passed());
  EXPECT_TRUE(result(5e-3, 2e4).too_ill_conditioned());
  // Equal in spite of it, or wrong although it is well-conditioned.
  EXPECT_TRUE(result(1e-7, 2e4).passed());
  EXPECT_FALSE(result(1e-7, 2e4).too_ill_conditioned());
  EXPECT_FALSE(result(0.5, 1.0).passed());
  EXPECT_FALSE(result(0.5, 1.0).too_ill_conditioned());
}

}  // namespace
}  // namespace tern::test
