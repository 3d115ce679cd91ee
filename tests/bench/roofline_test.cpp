// The roofline picture: where its points lie, and that labels keep apart.

#include "bench/support/roofline.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <regex>

#include "bench/support/labels.hpp"

namespace tern::test {
namespace {

using bench::Box;
using bench::CacheState;
using bench::Result;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(LabelPlaces, AHundredLabelsOfOnePointKeepApart) {
  const Box frame{0.0, 0.0, 1200.0, 800.0};
  bench::LabelPlaces places(frame);
  const Box point{595.0, 395.0, 605.0, 405.0};
  places.block(point);
  std::vector<Box> boxes{point};
  for (int i = 0; i < 100; ++i) {
    const auto box = places.place(600.0, 400.0, 100.0 + i, 13.0);
    ASSERT_TRUE(box) << i;
    EXPECT_TRUE(box->inside(frame));
    for (const Box& other : boxes) EXPECT_FALSE(box->meets(other)) << i;
    boxes.push_back(*box);
  }
  EXPECT_NEAR(boxes[1].left, 609.0, 1e-9);  // the first is right of its point
}

TEST(LabelPlaces, AFullFrameHasNoPlace) {
  bench::LabelPlaces places({0.0, 0.0, 100.0, 20.0});
  EXPECT_TRUE(places.place(10.0, 10.0, 60.0, 13.0));
  EXPECT_FALSE(places.place(10.0, 10.0, 60.0, 13.0));
}

/// A case of 10⁶ bytes and as many flops as given, timed at the rate of bytes.
Result timed(const char* op, double flops, double bytes_per_second) {
  Result result;
  result.op = op;
  result.variant = "v";
  result.strategy = "tern";
  result.cost = {.bytes = 1e6, .flops = flops};
  result.blocks.assign(12, 1e6 / bytes_per_second);
  return result;
}

std::vector<double> numbers(const std::smatch& match) {
  std::vector<double> all;
  for (std::size_t i = 1; i < match.size(); ++i) all.push_back(std::stod(match[i]));
  return all;
}

/// The ends of the solid slope, x1 y1 x2 y2, and the centre of the only point.
void expect_on_the_roof(const std::string& svg) {
  const std::string number = "=\"([0-9.]+)\"";
  const std::regex slope_of("roof evicted\" x1" + number + " y1" + number + " x2" + number + " y2" +
                            number + "/>\n<circle");
  const std::regex point_of("cx" + number + " cy" + number);
  std::smatch slope;
  std::smatch point;
  ASSERT_TRUE(std::regex_search(svg, slope, slope_of)) << svg;
  ASSERT_TRUE(std::regex_search(svg, point, point_of)) << svg;
  const auto line = numbers(slope);
  const auto at = numbers(point);
  const double part = (at[0] - line[0]) / (line[2] - line[0]);
  EXPECT_GT(part, 0.0);
  EXPECT_LT(part, 1.0);
  EXPECT_NEAR(at[1], line[1] + part * (line[3] - line[1]), 0.3);
}

std::vector<bench::CeilingsByState> ceilings() {
  bench::CeilingsByState all;
  all[CacheState::kEvicted].product = {{1e11}};
  all[CacheState::kEvicted].at(bench::Place::kItems).triad = {{2e10, 1e10}};
  return {all};
}

TEST(Roofline, ACaseAtTheRateOfAStreamLiesOnItsRoof) {
  for (const double flops : {2e5, 1e6, 4e6}) {
    const std::string svg = bench::roofline_svg("", {timed("op", flops, 2e10)}, ceilings());
    std::string lines = svg;
    // Between slope and point stands nothing but the point's own bar.
    lines = std::regex_replace(lines, std::regex("<line class=\"(bar|leader)[^>]*>\n"), "");
    expect_on_the_roof(lines);
  }
}

TEST(Roofline, NamesEveryTimedCaseAndIsComplete) {
  std::vector<Result> results{timed("a<b", 1e6, 1e10), timed("c&d", 2e6, 1e9)};
  results.push_back(timed("without_flops", 0.0, 1e9));
  results.push_back(timed("refused", 1e6, 1e9));
  results.back().blocks.clear();
  results.back().problem = "wrong";
  const std::string svg = bench::roofline_svg("A <title>", results, ceilings());
  EXPECT_THAT(svg, AllOf(HasSubstr("a&lt;b v"), HasSubstr("c&amp;d v"), HasSubstr("A &lt;title"),
                         HasSubstr("memory, evicted: 20 GB/s"), HasSubstr("100 GFLOP/s")));
  EXPECT_THAT(svg, AllOf(Not(HasSubstr("without_flops")), Not(HasSubstr("refused")),
                         Not(HasSubstr("nan")), Not(HasSubstr("inf"))));
  EXPECT_THAT(svg, Not(HasSubstr("href")));
  // Without a case or a ceiling it is an empty picture, not a broken one.
  const std::string empty = bench::roofline_svg("", {}, {});
  EXPECT_THAT(empty, AllOf(HasSubstr("</svg>"), Not(HasSubstr("nan")), Not(HasSubstr("inf"))));
}

}  // namespace
}  // namespace tern::test
