// Student's t, by published quantiles and by closed forms.

#include "bench/support/student.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace tern::test {
namespace {

TEST(Student, HasThePublishedQuantiles) {
  struct Quantile {
    int degrees;
    double t;
    double p;
  };
  // Abramowitz and Stegun 1964, table 26.10.
  for (const Quantile& one :
       {Quantile{1, 12.706, 0.05}, Quantile{2, 4.303, 0.05}, Quantile{3, 5.841, 0.01},
        Quantile{4, 8.610, 0.001}, Quantile{5, 4.032, 0.01}, Quantile{10, 2.228, 0.05},
        Quantile{11, 4.437, 0.001}, Quantile{30, 2.750, 0.01}}) {
    EXPECT_NEAR(bench::student_p(one.t, one.degrees) / one.p, 1.0, 2e-3) << one.degrees;
    EXPECT_DOUBLE_EQ(bench::student_p(-one.t, one.degrees), bench::student_p(one.t, one.degrees));
  }
}

TEST(Student, HasTheClosedFormsOfOneAndTwoDegrees) {
  for (const double t : {0.1, 1.0, 3.0}) {
    EXPECT_NEAR(bench::student_p(t, 1), 1.0 - 2.0 / std::numbers::pi * std::atan(t), 1e-12);
    EXPECT_NEAR(bench::student_p(t, 2), 1.0 - t / std::sqrt(2.0 + t * t), 1e-12);
  }
}

TEST(Student, IsAProbabilityAtTheEnds) {
  for (const int degrees : {1, 2, 7, 10}) {
    EXPECT_DOUBLE_EQ(bench::student_p(0.0, degrees), 1.0);
    EXPECT_LT(bench::student_p(1e9, degrees), 1e-8);
    EXPECT_GE(bench::student_p(1e9, degrees), 0.0);
    EXPECT_EQ(bench::student_p(INFINITY, degrees), 0.0);
  }
}

}  // namespace
}  // namespace tern::test
