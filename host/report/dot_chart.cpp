#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "host/report/axis.hpp"
#include "host/report/chart.hpp"
#include "host/report/html.hpp"

namespace tern::report {
namespace {

constexpr double kSide = 400.0;
constexpr double kHigh = 340.0;
constexpr double kMargin = 22.0;  // for the names of the axes
constexpr double kEdge = 6.0;     // between the frame and the outermost points

/// The class of a point: "s0" of a shade, "dot c0" of a category.
std::string dot_class(int shade, DotColors colors) {
  return colors == DotColors::kShades ? fmt::format("s{}", shade) : "dot " + color_class(shade);
}

}  // namespace

std::string dot_chart(const ChartText& text, const std::vector<Dot>& dots,
                      const std::vector<std::pair<int, std::string>>& shades, DotColors colors) {
  if (dots.empty()) return "";
  double low_x = dots[0].x, high_x = low_x, low_y = dots[0].y, high_y = low_y;
  for (const Dot& dot : dots) {
    low_x = std::min(low_x, dot.x);
    high_x = std::max(high_x, dot.x);
    low_y = std::min(low_y, dot.y);
    high_y = std::max(high_y, dot.y);
  }
  const double width = kSide - kMargin - 2 * kEdge;
  const double height = kHigh - kMargin - 2 * kEdge;
  const double scale =
      std::min(width / std::max(high_x - low_x, 1e-12), height / std::max(high_y - low_y, 1e-12));
  const double left = kMargin + kEdge + (width - (high_x - low_x) * scale) / 2;
  const double top = kEdge + (height - (high_y - low_y) * scale) / 2;
  std::string out = fmt::format(
      "<svg class=\"map\" viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"{}\">\n"
      "<rect class=\"frame\" x=\"{:.0f}\" y=\"0.5\" width=\"{:.1f}\" height=\"{:.1f}\"/>"
      "<text class=\"name\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{} \xE2\x86\x92</text>"
      "<text class=\"name\" transform=\"translate(14 {:.1f}) rotate(-90)\" >{} "
      "\xE2\x86\x92</text>\n",
      kSide, kHigh, escape(text.y), kMargin, kSide - kMargin - 1, kHigh - kMargin, kSide, kHigh - 6,
      escape(text.x), kHigh - kMargin, escape(text.y));
  for (const Dot& dot : dots) {
    out += fmt::format(
        "<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.6\" data-tip=\"{}\"/>\n",
        dot_class(dot.shade, colors), left + (dot.x - low_x) * scale,
        top + (high_y - dot.y) * scale, escape(dot.tip));
  }
  std::string legend = "<div class=\"legend\">";
  for (const auto& [shade, name] : shades) {
    legend += fmt::format(
        "<span><svg width=\"12\" height=\"12\" aria-hidden=\"true\"><circle class=\"{}\" cx=\"6\" "
        "cy=\"6\" "
        "r=\"4.5\"/></svg><span>{}</span></span>",
        dot_class(shade, colors), escape(name));
  }
  return fmt::format(
      "<figure><h3>{}</h3>\n{}</div>\n{}</svg>\n<figcaption>{}</figcaption></figure>\n", text.title,
      legend, out, text.sentence);
}

std::string interval_drawing(double low, double middle, double high, double reach, int color) {
  const Axis axis{.low = -reach, .high = reach};
  const auto at = [&](double value) {
    return place(axis, std::clamp(value, -reach, reach), 4.0, 156.0);
  };
  return fmt::format(
      "<svg class=\"interval {}\" viewBox=\"0 0 160 18\" width=\"160\" height=\"18\" "
      "aria-hidden=\"true\">"
      "<line class=\"base\" x1=\"80\" x2=\"80\" y1=\"0\" y2=\"18\"/>"
      "<line class=\"line\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"9\" y2=\"9\"/>"
      "<circle class=\"dot\" cx=\"{:.1f}\" cy=\"9\" r=\"4\"/></svg>",
      color_class(color), at(low), at(high), at(middle));
}

}  // namespace tern::report
