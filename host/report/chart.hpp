#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tern::report {

/// The colour of something: that of a run by its number, from 0, or the grey of a ranking without training.
inline constexpr int kBaseline = -1;

/// A name in a chart's legend, as HTML, with the colour and kind of its mark.
struct Key {
  std::string name;
  int color = 0;
  bool dashed = false;
};

/// The text around a chart. title and sentence are HTML: the sentence says what the chart shows and how to read it.
struct ChartText {
  std::string title;
  std::string sentence;
  std::string x;  // the axes with their units, plain
  std::string y;
};

struct Line {
  Key key;
  std::string plain_name;  // for values under the pointer
  std::vector<double> x;   // ascending
  std::vector<double> y;
  std::optional<double> marked;  // an x with a larger dot: the best epoch
};

/// Curves over epochs. Values appear under the pointer (host/report/script.cpp); at most 240 points of a line are drawn, every
/// n-th, with the first, the last and the marked one.
std::string line_chart(const ChartText& text, const std::vector<Line>& lines);

struct Bars {
  Key key;
  std::vector<double> heights;    // by group
  std::vector<std::string> tips;  // by group, plain
};

/// Bars side by side, by groups with these plain names. An axis from 0; a missing height is NaN.
std::string bar_chart(const ChartText& text, const std::vector<std::string>& groups,
                      const std::vector<Bars>& bars);

struct Dot {
  double x = 0.0;
  double y = 0.0;
  int shade = 0;    // from 0 to kShades - 1, or a colour
  std::string tip;  // plain
};
inline constexpr int kShades = 5;
/// Colours of categories that people tell apart: 0 to 6. kBaseline is that of all others.
inline constexpr int kMaxCategories = 7;

/// Whether the shade of a point is an amount, dark or light, or a category, whose colour is that of a run.
enum class DotColors : std::uint8_t { kShades, kCategories };

/// Points in a plane with equal units on both axes. shades: those of the legend and what each means, plain. All drawings have
/// one size, so that maps stand side by side.
std::string dot_chart(const ChartText& text, const std::vector<Dot>& dots,
                      const std::vector<std::pair<int, std::string>>& shades, DotColors colors);

/// An interval with its middle on the axis from -reach to reach, as a drawing within a table's cell.
std::string interval_drawing(double low, double middle, double high, double reach, int color);

/// The class of a colour: "c0", or "cb" of the baseline.
std::string color_class(int color);

}  // namespace tern::report
