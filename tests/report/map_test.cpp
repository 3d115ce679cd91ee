// Maps of items: colours by a category, and drawings of one size.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/report/categories.hpp"
#include "host/report/chart.hpp"
#include "tests/report/markup.hpp"

namespace tern::test {
namespace {

using report::Categories;
using report::Dot;
using report::DotColors;
using report::kBaseline;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

/// Four items. `flag` covers one, `kind` three of them, and item 1 has two kinds.
Features some_features() {
  return {.names = {"price", "flag=on", "flag=off", "kind=a", "kind=b", "size"},
          .values = {9, 0, 0, 1, 0, 3,  //
                     9, 0, 0, 1, 1, 3,  //
                     9, 1, 0, 0, 1, 3,  //
                     9, 0, 0, 0, 0, 3}};
}

TEST(Categories, AreThoseOfTheFeatureThatCoversTheMostItems) {
  const std::optional<Categories> found = report::find_categories(some_features(), {0, 1, 2, 3});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->feature, "kind");
  EXPECT_THAT(found->names, ElementsAre(Pair(0, "a"), Pair(1, "b"), Pair(kBaseline, "others")));
  // As frequent as b, but first: a is the colour of item 1.
  EXPECT_THAT(found->of, ElementsAre(0, 0, 1, kBaseline));
  EXPECT_TRUE(found->several);
}

TEST(Categories, AreCountedAmongTheseItemsAlone) {
  const std::optional<Categories> found = report::find_categories(some_features(), {2, 1});
  ASSERT_TRUE(found);
  EXPECT_THAT(found->names, ElementsAre(Pair(0, "b"), Pair(1, "a")));
  EXPECT_THAT(found->of, ElementsAre(0, 0));
}

TEST(Categories, NeedAFeatureOfTwoValues) {
  EXPECT_FALSE(report::find_categories(std::nullopt, {0}));
  EXPECT_FALSE(report::find_categories(Features{.names = {"price"}, .values = {1}}, {0}));
  EXPECT_FALSE(report::find_categories(Features{.names = {"kind=a"}, .values = {1}}, {0}));
  EXPECT_FALSE(report::find_categories(some_features(), {3}));  // it has no value
}

TEST(Categories, BeyondTheColoursAreOthers) {
  Features features;
  std::vector<NodeId> items;
  for (int value = 0; value < 9; ++value) {
    features.names.push_back("kind=" + std::to_string(value));
    items.push_back(value);
    for (int other = 0; other < 9; ++other) features.values.push_back(other == value ? 1.0F : 0.0F);
  }
  const std::optional<Categories> found = report::find_categories(features, items);
  ASSERT_TRUE(found);
  EXPECT_THAT(found->of, ElementsAre(0, 1, 2, 3, 4, 5, 6, kBaseline, kBaseline));
  EXPECT_FALSE(found->several);
}

std::string map_of(const std::vector<Dot>& dots, DotColors colors) {
  return report::dot_chart({"title", "sentence", "x", "y"}, dots, {{0, "few"}, {kBaseline, "<b>"}},
                           colors);
}

TEST(DotChart, HasOneSizeWhateverThePointsAre) {
  const std::string size = "viewBox=\"0 0 400 340\"";
  for (const double high : {0.0, 0.001, 1.0, 1000.0}) {
    const std::string map =
        map_of({{0.0, 0.0, 0, "low"}, {1.0, high, 1, "high"}}, DotColors::kShades);
    EXPECT_EQ(markup_fault(map), "");
    EXPECT_THAT(map, HasSubstr(size)) << high;
  }
  // The longer side fills the frame, and the other one is in its middle: 28 to 394 by 6 to 312.
  EXPECT_THAT(map_of({{0.0, 0.0, 0, ""}, {1.0, 0.0, 0, ""}}, DotColors::kShades),
              AllOf(HasSubstr("cx=\"28.0\" cy=\"159.0\""), HasSubstr("cx=\"394.0\" cy=\"159.0\"")));
  EXPECT_THAT(map_of({{0.0, 0.0, 0, ""}, {0.0, 2.0, 0, ""}}, DotColors::kShades),
              AllOf(HasSubstr("cx=\"211.0\" cy=\"312.0\""), HasSubstr("cx=\"211.0\" cy=\"6.0\"")));
}

TEST(DotChart, ColoursCategoriesAsRuns) {
  const std::vector<Dot> dots{{0.0, 0.0, 0, "one"}, {1.0, 1.0, kBaseline, "two"}};
  EXPECT_THAT(map_of(dots, DotColors::kCategories),
              AllOf(HasSubstr("class=\"dot c0\""), HasSubstr("class=\"dot cb\""),
                    HasSubstr("&lt;b&gt;"), Not(HasSubstr("class=\"s0\""))));
  EXPECT_THAT(map_of({{0.0, 0.0, 2, "one"}}, DotColors::kShades), HasSubstr("class=\"s2\""));
}

}  // namespace
}  // namespace tern::test
