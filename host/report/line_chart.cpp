#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>

#include "host/report/chart.hpp"
#include "host/report/chart_frame.hpp"
#include "host/report/html.hpp"

namespace tern::report {
namespace {

using Json = nlohmann::ordered_json;

/// More points than a drawing has room for only make the page larger.
constexpr std::size_t kMaxPoints = 240;
/// So few points are drawn as dots too.
constexpr std::size_t kFewPoints = 40;

Line thinned(const Line& line) {
  Line some{line.key, line.plain_name, {}, {}, line.marked};
  const std::size_t stride = (line.x.size() + kMaxPoints - 1) / kMaxPoints;
  for (std::size_t i = 0; i < line.x.size(); ++i) {
    if (!std::isfinite(line.y[i])) continue;
    const bool is_end = i + 1 == line.x.size();
    if (i % stride != 0 && !is_end && line.x[i] != line.marked) continue;
    some.x.push_back(line.x[i]);
    some.y.push_back(line.y[i]);
  }
  return some;
}

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void cover(const std::vector<double>& values) {
    for (const double value : values) {
      low = std::min(low, value);
      high = std::max(high, value);
    }
  }
};

/// Numbers for the pointer: whole ones as they are, of others four digits, more than the drawing shows.
Json numbers(const std::vector<double>& values) {
  Json list = Json::array();
  for (const double value : values) {
    if (value == std::round(value) && std::abs(value) < 1e9) {
      list.push_back(static_cast<std::int64_t>(value));
    } else {
      list.push_back(Json::parse(fmt::format("{:.4g}", value)));
    }
  }
  return list;
}

std::string line_data(const ChartText& text, const std::vector<Line>& lines, const Axis& x) {
  Json series = Json::array();
  for (const Line& line : lines) {
    series.push_back({readable(line.plain_name, 40), numbers(line.x), numbers(line.y)});
  }
  const Json data{{"name", text.x}, {"low", x.low}, {"high", x.high}, {"lines", series}};
  return fmt::format("class=\"curves\" data-lines=\"{}\"",
                     escape(data.dump(-1, ' ', false, Json::error_handler_t::replace)));
}

std::string draw_line(const Line& line, const Axis& x, const Axis& y) {
  std::string points;
  std::string dots;
  for (std::size_t i = 0; i < line.x.size(); ++i) {
    const double at_x = place(x, line.x[i], kLeft, kRight);
    const double at_y = place(y, line.y[i], kBottom, kTop);
    points += fmt::format("{}{:.1f},{:.1f}", i == 0 ? "" : " ", at_x, at_y);
    const bool is_marked = line.marked == line.x[i];
    if (line.x.size() > kFewPoints && !is_marked) continue;
    dots += fmt::format("<circle class=\"dot\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\"/>", at_x, at_y,
                        is_marked ? "4.5" : "2");
  }
  return fmt::format("<g class=\"{}\"><polyline class=\"line{}\" points=\"{}\"/>{}</g>\n",
                     color_class(line.key.color), line.key.dashed ? " dashed" : "", points, dots);
}

}  // namespace

std::string line_chart(const ChartText& text, const std::vector<Line>& lines) {
  std::vector<Line> drawn;
  Range range_x;
  Range range_y;
  for (const Line& line : lines) {
    drawn.push_back(thinned(line));
    if (drawn.back().x.empty()) {
      drawn.pop_back();
      continue;
    }
    range_x.cover(drawn.back().x);
    range_y.cover(drawn.back().y);
  }
  if (drawn.empty()) return "";
  const Axis x = whole_axis(range_x.low, range_x.high);
  // Without 0 if that would flatten the curve.
  const bool from_zero = range_y.low >= 0.0 && range_y.low < 0.5 * range_y.high;
  const Axis y = round_axis(from_zero ? 0.0 : range_y.low, range_y.high, 4);
  std::string out = begin_drawing(text, y, line_data(text, drawn, x));
  for (const double tick : x.ticks) {
    out += fmt::format("<text x=\"{:.1f}\" y=\"{:.0f}\" text-anchor=\"middle\">{}</text>",
                       place(x, tick, kLeft, kRight), kBottom + 16, tick_text(x, tick));
  }
  out += fmt::format(
      "\n<line class=\"rule\" x1=\"0\" x2=\"0\" y1=\"{:.0f}\" y2=\"{:.0f}\" "
      "visibility=\"hidden\"/>\n",
      kTop, kBottom);
  std::vector<Key> keys;
  for (const Line& line : drawn) {
    out += draw_line(line, x, y);
    keys.push_back(line.key);
  }
  return figure(text, keys, out + "</svg>\n");
}

}  // namespace tern::report
