#include "host/report/html.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "host/report/axis.hpp"

namespace tern::report {
namespace {

TEST(Html, EscapesMarkup) {
  EXPECT_EQ(escape("a<b> & \"c\" 'd'"), "a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;");
  EXPECT_EQ(escape("caf\xC3\xA9"), "caf\xC3\xA9");
  EXPECT_EQ(id_element("<b>"), "<bdi>&lt;b&gt;</bdi>");
}

TEST(Html, ReplacesBytesThatAPageCannotHold) {
  const std::string unknown = "\xEF\xBF\xBD";
  EXPECT_EQ(readable("a\xFF z"), "a" + unknown + " z");
  EXPECT_EQ(readable("\xC3"), unknown);                              // ends within a character
  EXPECT_EQ(readable("\xED\xA0\x80"), unknown + unknown + unknown);  // a surrogate
  EXPECT_EQ(readable(std::string_view("\x01\x1B\x7F\0", 4)), unknown + unknown + unknown + unknown);
  EXPECT_EQ(readable("\xC2\x85"), unknown);  // C1
  EXPECT_EQ(readable("\xC2\xA0tab\tline\n"), "\xC2\xA0tab\tline\n");
}

TEST(Html, CutsAtCharacters) {
  EXPECT_EQ(readable("\xC3\xA4\xC3\xB6\xC3\xBC", 2), "\xC3\xA4\xC3\xB6\xE2\x80\xA6");
  EXPECT_EQ(readable("\xC3\xA4\xC3\xB6", 2), "\xC3\xA4\xC3\xB6");
  // Cut before it is escaped: no half entity.
  EXPECT_EQ(escaped("&&&", 2), "&amp;&amp;\xE2\x80\xA6");
}

TEST(Html, TablesNest) {
  HtmlTable table;
  table.add_head("name");
  table.add_head("n");
  table.add_row("a");
  table.add("1", "best");
  table.add_row("b");
  table.add("2");
  EXPECT_EQ(table.html(),
            "<div class=\"scroll\"><table>\n"
            "<thead><tr><th scope=\"col\">name</th><th scope=\"col\">n</th></tr></thead>\n<tbody>\n"
            "<tr><th scope=\"row\">a</th><td class=\"best\">1</td></tr>\n"
            "<tr><th scope=\"row\">b</th><td>2</td></tr>\n</tbody>\n</table></div>\n");
}

TEST(ReportAxis, CoversTheValuesAtRoundSteps) {
  const Axis axis = round_axis(0.013, 0.27, 5);
  EXPECT_NEAR(axis.low, 0.0, 1e-12);
  EXPECT_NEAR(axis.high, 0.3, 1e-12);
  ASSERT_EQ(axis.ticks.size(), 4u);  // 0, 0.1, 0.2, 0.3
  EXPECT_EQ(tick_text(axis, axis.ticks[0]), "0");
  EXPECT_EQ(tick_text(axis, axis.ticks[3]), "0.3");
  EXPECT_NEAR(place(axis, 0.15, 184.0, 26.0), 105.0, 1e-9);
  EXPECT_EQ(tick_text(round_axis(0.0, 1e4), 5000.0), "5,000");
}

TEST(ReportAxis, HasARangeForEqualAndMissingValues) {
  for (const auto& [low, high] : {std::pair{0.0, 0.0},
                                  {3.0, 3.0},
                                  {-2.0, -2.0},
                                  {1e-9, 1e-9},
                                  {std::numeric_limits<double>::infinity(), 0.0}}) {
    const Axis axis = round_axis(low, high);
    EXPECT_GT(axis.high, axis.low) << low;
    EXPECT_GE(axis.ticks.size(), 2u) << low;
    EXPECT_LE(axis.ticks.size(), 12u) << low;
  }
  EXPECT_GT(whole_axis(1.0, 1.0).high, 1.0);
}

TEST(ReportAxis, HasWholeTicksForEpochs) {
  const Axis axis = whole_axis(1.0, 8.0);
  EXPECT_EQ(axis.low, 1.0);
  EXPECT_EQ(axis.high, 8.0);
  for (const double tick : axis.ticks) EXPECT_EQ(tick, std::round(tick));
}

}  // namespace
}  // namespace tern::report
