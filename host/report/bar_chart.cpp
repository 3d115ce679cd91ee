#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "host/report/chart.hpp"
#include "host/report/chart_frame.hpp"
#include "host/report/html.hpp"

namespace tern::report {
namespace {

constexpr double kGlyph = 6.3;      // the width of a character of a label, about
constexpr double kGroupGap = 0.22;  // the share of a group that is left free

std::string group_names(const std::vector<std::string>& groups, double step) {
  std::size_t longest = 0;
  for (const std::string& name : groups) longest = std::max(longest, name.size());
  // Names that are too long for their places stand in two rows.
  const bool in_rows = static_cast<double>(longest) * kGlyph > step;
  std::string out;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const double at = kLeft + (static_cast<double>(g) + 0.5) * step;
    out += fmt::format("<text x=\"{:.1f}\" y=\"{:.0f}\" text-anchor=\"middle\">{}</text>", at,
                       kBottom + (in_rows && g % 2 == 1 ? 27 : 14), escape(groups[g]));
  }
  return out + "\n";
}

}  // namespace

std::string bar_chart(const ChartText& text, const std::vector<std::string>& groups,
                      const std::vector<Bars>& bars) {
  double highest = 0.0;
  for (const Bars& some : bars) {
    for (const double height : some.heights) {
      if (std::isfinite(height)) highest = std::max(highest, height);
    }
  }
  const Axis y = round_axis(0.0, highest, 4);
  const double step = (kRight - kLeft) / static_cast<double>(groups.size());
  const double width = step * (1.0 - kGroupGap) / static_cast<double>(bars.size());
  std::string out = begin_drawing(text, y);
  out += group_names(groups, step);
  std::vector<Key> keys;
  for (std::size_t b = 0; b < bars.size(); ++b) {
    keys.push_back(bars[b].key);
    out += fmt::format("<g class=\"{}\">", color_class(bars[b].key.color));
    for (std::size_t g = 0; g < groups.size(); ++g) {
      const double height = bars[b].heights[g];
      if (!std::isfinite(height)) continue;
      const double top = place(y, height, kBottom, kTop);
      const double x =
          kLeft + (static_cast<double>(g) + kGroupGap / 2) * step + static_cast<double>(b) * width;
      out += fmt::format(
          "<rect class=\"bar\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" "
          "data-tip=\"{}\"/>",
          x, top, std::max(width - 0.6, 0.8), kBottom - top, escape(bars[b].tips[g]));
    }
    out += "</g>\n";
  }
  out += fmt::format(
      "<line class=\"base\" x1=\"{0:.0f}\" x2=\"{1:.0f}\" y1=\"{2:.0f}\" y2=\"{2:.0f}\"/>", kLeft,
      kRight, kBottom);
  return figure(text, keys, out + "</svg>\n");
}

}  // namespace tern::report
