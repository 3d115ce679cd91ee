#include "bench/support/roofline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <set>

#include "bench/support/labels.hpp"
#include "bench/support/rows.hpp"

namespace tern::bench {
namespace {

constexpr double kWidth = 1280.0;
constexpr double kHeight = 860.0;
constexpr Box kPlot{100.0, 60.0, kWidth - 20.0, kHeight - 55.0};
constexpr double kLetter = 6.35;  // the width of a letter, and the height of a line
constexpr double kLine = 13.0;

// Plain colours, and others for dark backgrounds: programs that draw SVG outside of a browser know no variables.
constexpr char kStyle[] = R"(<style>
text { font: 10.5px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #1f2328; }
.title { font-size: 14px; font-weight: bold; }
.paper { fill: #ffffff; }
.grid { stroke: #d8dee4; stroke-width: 1; }
.halo { fill: #ffffff; stroke: #ffffff; stroke-width: 3px; stroke-linejoin: round; }
.roof { fill: none; stroke-width: 2; }
.gather { stroke-dasharray: 6 4; }
.bar { stroke-width: 1.5; }
.leader { stroke-width: 0.6; opacity: 0.7; }
.point { stroke-width: 1.5; }
line.evicted, circle.evicted { stroke: #0b5cad; }
line.warm, circle.warm { stroke: #b35300; }
text.evicted, circle.evicted { fill: #0b5cad; }
text.warm, circle.warm { fill: #b35300; }
circle.rival { fill: #ffffff; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .paper { fill: #0d1117; }
  .grid { stroke: #30363d; }
  .halo { fill: #0d1117; stroke: #0d1117; }
  line.evicted, circle.evicted { stroke: #6cb6ff; }
  line.warm, circle.warm { stroke: #f0a04b; }
  text.evicted, circle.evicted { fill: #6cb6ff; }
  text.warm, circle.warm { fill: #f0a04b; }
  circle.rival { fill: #0d1117; }
}
</style>
)";

std::string escaped(const std::string& text) {
  std::string out;
  for (const char letter : text) {
    if (letter == '&') {
      out += "&amp;";
    } else if (letter == '<') {
      out += "&lt;";
    } else {
      out += letter;
    }
  }
  return out;
}

/// A logarithmic axis: values to pixels.
struct Axis {
  double low;  // of log10
  double high;
  double begin;  // pixels
  double end;

  double operator()(double value) const {
    return begin + (std::log10(value) - low) / (high - low) * (end - begin);
  }
  double value_at(double pixel) const {
    return std::pow(10.0, low + (pixel - begin) / (end - begin) * (high - low));
  }
};

struct Roofs {
  Ceiling memory;
  Ceiling gather;
  Ceiling product;
};

void raise(Ceiling& roof, const Ceiling& ceiling) {
  if (ceiling.best() > roof.best()) roof = ceiling;
}

/// The highest ceilings of each state.
std::map<CacheState, Roofs> roofs_of(const std::vector<CeilingsByState>& all) {
  std::map<CacheState, Roofs> roofs;
  for (const CeilingsByState& some : all) {
    for (const auto& [caches, ceilings] : some) {
      Roofs& roof = roofs[caches];
      raise(roof.product, ceilings.product);
      for (const Place place : kPlaces) {
        const MemoryCeilings& at = ceilings.at(place);
        for (const Ceiling& one : {at.read, at.copy, at.update, at.triad}) raise(roof.memory, one);
        raise(roof.gather, at.gather);
        raise(roof.gather, at.gather_bf16);
      }
    }
  }
  return roofs;
}

struct Point {
  double x;  // flop/byte
  double y;  // flop/s, of the median
  double low;
  double high;
  const Result* result;
};

std::vector<Point> points_of(const std::vector<Result>& results) {
  std::vector<Point> points;
  for (const Result& result : results) {
    if (result.blocks.empty() || result.cost.flops <= 0.0 || result.cost.bytes <= 0.0) continue;
    std::vector<double> sorted = result.blocks;
    std::ranges::sort(sorted);
    const double flops = result.cost.flops;
    points.push_back({flops / result.cost.bytes, flops / result.median(),
                      flops / sorted[sorted.size() * 3 / 4], flops / sorted[sorted.size() / 4],
                      &result});
  }
  // From above: the slower of two close points is labelled below.
  std::ranges::sort(points, [](const Point& a, const Point& b) { return a.y > b.y; });
  return points;
}

/// Widens [low, high] of log10 to whole decades that hold the values.
Axis axis_of(std::vector<double> values, double begin, double end) {
  const auto [low, high] = std::ranges::minmax(values);
  return {std::floor(std::log10(low)), std::ceil(std::log10(high) + 0.02), begin, end};
}

/// "10 GFLOP/s" for 1e10.
std::string rate_text(double value) {
  const char* units[] = {"FLOP/s", "kFLOP/s", "MFLOP/s", "GFLOP/s", "TFLOP/s", "PFLOP/s"};
  int unit = 0;
  for (; value >= 999.5 && unit < 5; ++unit) value /= 1000.0;
  return fmt::format("{:.4g} {}", value, units[unit]);
}

/// Writes the parts of the picture, and keeps labels apart.
class Picture {
 public:
  Picture(const Axis& x, const Axis& y) : x_(x), y_(y), places_(kPlot) {}

  void draw_grid() {
    for (double decade = x_.low; decade <= x_.high; ++decade) {
      const double at = x_(std::pow(10.0, decade));
      line("grid", at, kPlot.top, at, kPlot.bottom);
      text("", at, kPlot.bottom + 16.0, "middle", fmt::format("{:.4g}", std::pow(10.0, decade)));
    }
    for (double decade = y_.low; decade <= y_.high; ++decade) {
      const double at = y_(std::pow(10.0, decade));
      line("grid", kPlot.left, at, kPlot.right, at);
      text("", kPlot.left - 6.0, at + 4.0, "end", rate_text(std::pow(10.0, decade)));
    }
    text("", (kPlot.left + kPlot.right) / 2.0, kHeight - 14.0, "middle",
         "flop/byte, of the fewest bytes that any implementation moves");
  }

  /// A slope up to the ridge, with its name along it, and the flat roof of products.
  void draw_roofs(const char* state, const Roofs& roofs) {
    const double top = roofs.product.best();
    if (top > 0.0) {
      const double ridge = roofs.memory.best() > 0.0 ? top / roofs.memory.best() : 0.0;
      const double from = std::max(kPlot.left, ridge > 0.0 ? x_(ridge) : kPlot.left);
      line(fmt::format("roof {}", state), from, y_(top), kPlot.right, y_(top));
      const std::string name = fmt::format("product, {}: {} +-{:.0f}%", state, rate_text(top),
                                           100.0 * roofs.product.spread());
      // Two states have about the same: their names stand above and below.
      const double at = y_(top) + (product_names_++ == 0 ? -5.0 : 13.0);
      add_label(state, kPlot.right - 4.0, at, 0.0, "end", name);
      const double width = kLetter * static_cast<double>(name.size());
      places_.block({kPlot.right - 4.0 - width, at - 11.0, kPlot.right, at + 4.0});
    }
    draw_slope(fmt::format("{} gather", state), state, "gather", roofs.gather, top);
    draw_slope(state, state, "memory", roofs.memory, top);
  }

  void block_points(const std::vector<Point>& points) {
    for (const Point& p : points) {
      const double x = x_(p.x);
      places_.block({x - 5.0, std::min(y_(p.high), y_(p.y) - 5.0), x + 5.0,
                     std::max(y_(p.low), y_(p.y) + 5.0)});
    }
  }

  void draw_point(const Point& p, const std::string& label) {
    const char* state = name_of(p.result->caches);
    const double x = x_(p.x);
    const double y = y_(p.y);
    const double width = kLetter * static_cast<double>(label.size());
    line(fmt::format("bar {}", state), x, y_(p.low), x, y_(p.high));
    const std::optional<Box> box = places_.place(x, y, width, kLine);
    if (box) {
      const double to_x = std::clamp(x, box->left, box->right);
      const double to_y = std::clamp(y, box->top, box->bottom);
      if (std::hypot(to_x - x, to_y - y) > 12.0) {
        line(fmt::format("leader {}", state), x, y, to_x, to_y);
      }
      add_label(state, box->left, box->bottom - 3.0, 0.0, "start", label);
    }
    const char* rival = p.result->strategy == "tern" ? "" : " rival";
    body_ += fmt::format(
        "<circle class=\"point{} {}\" cx=\"{:.1f}\" cy=\"{:.1f}\" "
        "r=\"4\"><title>{}</title></circle>\n",
        rival, state, x, y,
        escaped(fmt::format("{} {}: {}, {:.3g} ms", p.result->name(), state, rate_text(p.y),
                            1e3 * p.result->median())));
  }

  void text(const std::string& style, double x, double y, const char* anchor,
            const std::string& words) {
    body_ +=
        fmt::format("<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n",
                    style, x, y, anchor, escaped(words));
  }

  /// The whole file; labels lie above all else.
  std::string file() const {
    return fmt::format(
               "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
               "height=\"{1}\" role=\"img\">\n",
               kWidth, kHeight) +
           kStyle + "<rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n" + body_ + labels_ +
           "</svg>\n";
  }

 private:
  void line(const std::string& style, double x1, double y1, double x2, double y2) {
    body_ += fmt::format(
        "<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n", style, x1,
        y1, x2, y2);
  }
  /// Above all else, and readable on lines: the words in the colour of the paper, drawn broadly, lie below.
  void add_label(const char* state, double x, double y, double degrees, const char* anchor,
                 const std::string& words) {
    for (const char* style : {"halo", state}) {
      labels_ += fmt::format(
          "<text class=\"{}\" transform=\"translate({:.1f} {:.1f}) rotate({:.1f})\" "
          "text-anchor=\"{}\">{}</text>\n",
          style, x, y, degrees, anchor, escaped(words));
    }
  }

  void draw_slope(const std::string& style, const char* state, const char* kind,
                  const Ceiling& ceiling, double top) {
    const double rate = ceiling.best();
    if (rate <= 0.0) return;
    // From the left or the lower edge to the ridge, or to the right or upper edge.
    const double from = std::max(kPlot.left, x_(y_.value_at(kPlot.bottom) / rate));
    const double highest = top > 0.0 ? top : y_.value_at(kPlot.top);
    const double to = std::min(kPlot.right, x_(highest / rate));
    if (to <= from) return;
    const auto height = [&](double x) { return y_(x_.value_at(x) * rate); };
    line("roof " + style, from, height(from), to, height(to));
    const double angle = std::atan2(height(to) - height(from), to - from);
    const std::string name = fmt::format("{}, {}: {:.3g} GB/s +-{:.0f}%", kind, state, rate * 1e-9,
                                         100.0 * ceiling.spread());
    // Along the line, at the first place from its lower end where no other name is.
    const double length = kLetter * static_cast<double>(name.size()) * std::cos(angle);
    double x = from + 8.0;
    std::vector<Box> boxes = boxes_along(x, height(x) - 5.0, angle, name.size());
    for (double next = x; next + length < to; next += 10.0) {
      const std::vector<Box> there = boxes_along(next, height(next) - 5.0, angle, name.size());
      if (!std::ranges::all_of(there, [&](const Box& box) { return places_.is_free(box); }))
        continue;
      x = next;
      boxes = there;
      break;
    }
    for (const Box& box : boxes) places_.block(box);
    add_label(state, x, height(x) - 5.0, angle * 180.0 / std::numbers::pi, "start", name);
  }

  /// Boxes that cover a text of so many letters which begins at (x, y).
  static std::vector<Box> boxes_along(double x, double y, double angle, std::size_t letters) {
    std::vector<Box> boxes;
    for (std::size_t i = 0; i <= letters; ++i) {
      const double px = x + kLetter * static_cast<double>(i) * std::cos(angle);
      const double py = y + kLetter * static_cast<double>(i) * std::sin(angle);
      boxes.push_back({px - 6.0, py - 10.0, px + 6.0, py + 4.0});
    }
    return boxes;
  }

  Axis x_;
  Axis y_;
  LabelPlaces places_;
  std::string body_;
  std::string labels_;
  int product_names_ = 0;
};

/// The names of points say what tells them apart: the strategy of a rival, the width if there are several.
std::string label_of(const Result& result, const std::vector<Result>& all) {
  std::set<std::int64_t> widths;
  std::set<std::int64_t> batches;
  for (const Result& one : all) {
    widths.insert(one.width);
    if (one.batch > 0) batches.insert(one.batch);
  }
  std::string text = result.op + " " + result.label();
  if (result.strategy != "tern") text += " " + result.strategy;
  if (widths.size() > 1) text += fmt::format(" D {}", result.width);
  if (batches.size() > 1 && result.batch > 0) text += fmt::format(" B {}", result.batch);
  return text;
}

}  // namespace

std::string roofline_svg(const std::string& title, const std::vector<Result>& results,
                         const std::vector<CeilingsByState>& ceilings) {
  const std::vector<Point> points = points_of(results);
  const std::map<CacheState, Roofs> roofs = roofs_of(ceilings);
  std::vector<double> xs{0.1, 10.0};
  std::vector<double> ys{1e9, 1e10};
  for (const Point& p : points) {
    xs.push_back(p.x);
    ys.insert(ys.end(), {p.low, p.high});
  }
  for (const auto& [caches, roof] : roofs) {
    if (roof.product.best() > 0.0) ys.push_back(roof.product.best());
    if (roof.memory.best() > 0.0) xs.push_back(roof.product.best() / roof.memory.best() * 1.5);
  }
  std::erase_if(xs, [](double x) { return !(x > 0.0); });
  Picture picture(axis_of(xs, kPlot.left, kPlot.right), axis_of(ys, kPlot.bottom, kPlot.top));
  picture.text("title", kPlot.left, 24.0, "start", title);
  picture.text(
      "", kPlot.left, 42.0, "start",
      "filled: Tern's ops; hollow: rivals; bar: quartiles of the blocks; solid slope: streams, "
      "dashed: gathers");
  picture.draw_grid();
  for (const auto& [caches, roof] : roofs) picture.draw_roofs(name_of(caches), roof);
  picture.block_points(points);
  for (const Point& p : points) picture.draw_point(p, label_of(*p.result, results));
  return picture.file();
}

}  // namespace tern::bench
