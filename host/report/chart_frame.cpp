#include "host/report/chart_frame.hpp"

#include <fmt/format.h>

#include "host/report/html.hpp"

namespace tern::report {
namespace {

std::string legend(const std::vector<Key>& keys) {
  if (keys.empty() || (keys.size() == 1 && keys.front().name.empty())) return "";
  std::string out = "<div class=\"legend\">";
  for (const Key& key : keys) {
    out += fmt::format(
        "<span><svg class=\"{}\" width=\"22\" height=\"10\" aria-hidden=\"true\"><line "
        "class=\"line{}\" x1=\"1\" "
        "y1=\"5\" x2=\"21\" y2=\"5\"/></svg><span>{}</span></span>",
        color_class(key.color), key.dashed ? " dashed" : "", key.name);
  }
  return out + "</div>\n";
}

}  // namespace

std::string color_class(int color) {
  return color == kBaseline ? "cb" : fmt::format("c{}", color);
}

std::string figure(const ChartText& text, const std::vector<Key>& keys, std::string_view drawing) {
  return fmt::format("<figure><h3>{}</h3>\n{}{}<figcaption>{}</figcaption></figure>\n", text.title,
                     legend(keys), drawing, text.sentence);
}

std::string begin_drawing(const ChartText& text, const Axis& y, std::string_view attributes) {
  std::string out = fmt::format(
      "<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"{} by {}\" {}>\n"
      "<text class=\"name\" x=\"4\" y=\"12\">{}</text>"
      "<text class=\"name\" x=\"{:.0f}\" y=\"{:.0f}\" text-anchor=\"middle\">{}</text>\n",
      kWidth, kHeight, escape(text.y), escape(text.x), attributes, escape(text.y),
      (kLeft + kRight) / 2, kHeight - 5, escape(text.x));
  for (const double tick : y.ticks) {
    const double at = place(y, tick, kBottom, kTop);
    out += fmt::format(
        "<line class=\"grid\" x1=\"{0:.0f}\" x2=\"{1:.0f}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/>"
        "<text x=\"{3:.0f}\" y=\"{4:.1f}\" text-anchor=\"end\">{5}</text>\n",
        kLeft, kRight, at, kLeft - 5, at + 4, tick_text(y, tick));
  }
  return out;
}

}  // namespace tern::report
