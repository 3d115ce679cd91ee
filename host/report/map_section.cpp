// Items on the first two principal axes of their final embeddings.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>
#include <utility>

#include "host/report/categories.hpp"
#include "host/report/html.hpp"
#include "host/report/page.hpp"
#include "host/report/principal_axes.hpp"
#include "host/serve/final_tables.hpp"
#include "host/support/number_text.hpp"
#include "host/train/cosine.hpp"

namespace tern::report {
namespace {

/// Items on all maps of a page together: each takes about a hundred bytes.
constexpr std::size_t kMaxMapped = 2000;

/// Items with training interactions, by popularity.
std::vector<NodeId> known_items(const Page& page) {
  std::vector<NodeId> items(page.item_degrees.size());
  std::iota(items.begin(), items.end(), NodeId{0});
  const auto degree = [&](NodeId item) {
    return page.item_degrees[static_cast<std::size_t>(item)];
  };
  std::erase_if(items, [&](NodeId item) { return degree(item) == 0; });
  std::ranges::stable_sort(items, {}, degree);
  return items;
}

/// Shades by fifths of the items, ascending in popularity, with the degrees that each has.
struct Shades {
  std::vector<int> of;                             // by place in known_items()
  std::vector<std::pair<int, std::string>> names;  // by shade
};

Shades shade_items(const Page& page, const std::vector<NodeId>& items) {
  const auto degree = [&](std::size_t i) {
    return page.item_degrees[static_cast<std::size_t>(items[i])];
  };
  // Items of one degree have one shade, even across a fifth.
  std::vector<std::int64_t> limits;
  for (int fifth = 1; fifth < kShades; ++fifth) {
    const std::int64_t limit = degree(items.size() * static_cast<std::size_t>(fifth) / kShades);
    if (limit > degree(0) && (limits.empty() || limit > limits.back())) limits.push_back(limit);
  }
  Shades shades;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const auto above = std::ranges::upper_bound(limits, degree(i));
    shades.of.push_back(static_cast<int>(above - limits.begin()));
  }
  for (std::size_t s = 0; s <= limits.size(); ++s) {
    const std::int64_t low = s == 0 ? degree(0) : limits[s - 1];
    const std::int64_t high = s == limits.size() ? degree(items.size() - 1) : limits[s] - 1;
    shades.names.emplace_back(
        static_cast<int>(s),
        low == high ? grouped(low) : fmt::format("{}\xE2\x80\x93{}", grouped(low), grouped(high)));
  }
  shades.names.back().second += " interactions";
  return shades;
}

std::vector<float> rows_of_items(const Source& run, const std::vector<NodeId>& items) {
  const std::vector<float> all = in_f32(run.embeddings->items);
  const auto width = static_cast<std::size_t>(run.embeddings->items.shape[1]);
  std::vector<float> rows;
  rows.reserve(items.size() * width);
  for (const NodeId item : items) {
    const auto begin =
        all.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(item) * width);
    rows.insert(rows.end(), begin, begin + static_cast<std::ptrdiff_t>(width));
  }
  // Only directions count for a cosine.
  if (run.config.evaluation.score == ScoreKind::kCosine) {
    normalize_rows(std::span(rows), static_cast<std::int64_t>(width));
  }
  return rows;
}

/// The maps of a run: by popularity, and by a category if the items have one.
std::string maps_of(const Page& page, const Source& run, const std::vector<NodeId>& items,
                    const Shades& shades, const std::optional<Categories>& categories,
                    std::size_t most) {
  const PrincipalAxes axes =
      principal_axes(rows_of_items(run, items), run.embeddings->items.shape[1]);
  if (axes.x.empty()) return "";
  // Every n-th in the order of popularity, drawn in the order of the data, so that no shade covers another.
  const std::size_t stride = (items.size() + most - 1) / most;
  std::vector<std::size_t> chosen;
  for (std::size_t i = (items.size() - 1) % stride; i < items.size(); i += stride) {
    chosen.push_back(i);
  }
  std::ranges::sort(chosen, {}, [&](std::size_t i) { return items[i]; });
  const auto dots_by = [&](const std::vector<int>& colors) {
    std::vector<Dot> dots;
    for (const std::size_t i : chosen) {
      const NodeId item = items[i];
      dots.push_back({axes.x[i], axes.y[i], colors[i],
                      fmt::format("{}\n{} interactions", readable(page.data().items.name(item), 40),
                                  grouped(page.item_degrees[static_cast<std::size_t>(item)]))});
    }
    return dots;
  };
  const std::string which = stride == 1
                                ? "All items with training interactions"
                                : fmt::format("{} of {} items with training interactions",
                                              grouped(static_cast<std::int64_t>(chosen.size())),
                                              grouped(static_cast<std::int64_t>(items.size())));
  const bool several_runs = page.runs().size() > 1;
  const std::string whose = several_runs ? name_of(run) : "";
  const auto text = [&](const std::string& title, const std::string& sentence) {
    return ChartText{title, sentence,
                     fmt::format("axis 1, {:.0f}% of the variance", 100.0 * axes.share_x),
                     fmt::format("axis 2, {:.0f}%", 100.0 * axes.share_y)};
  };
  std::string out = dot_chart(
      text(
          several_runs ? whose : "Items by popularity",
          fmt::format(
              "{} on the two axes along which their final embeddings{} differ most: "
              "together {:.0f}% of the variance. Items that are near each other here can "
              "still differ along the others. Names appear under the pointer.",
              which, run.config.evaluation.score == ScoreKind::kCosine ? ", scaled to norm 1," : "",
              100.0 * (axes.share_x + axes.share_y))),
      dots_by(shades.of), shades.names, DotColors::kShades);
  if (!categories) return out;
  const std::string feature = escaped(categories->feature, 40);
  return out + dot_chart(text(several_runs ? fmt::format("{}, by {}", whose, feature)
                                           : fmt::format("Items by {}", feature),
                              fmt::format("The same map. Colours are the most frequent values of "
                                          "{}{}. Islands of one colour mean that the embeddings "
                                          "know the feature.",
                                          feature,
                                          categories->several
                                              ? "; an item with several has that of the most "
                                                "frequent one"
                                              : "")),
                         dots_by(categories->of), categories->names, DotColors::kCategories);
}

}  // namespace

std::string map_section(const Page& page) {
  const std::vector<NodeId> items = known_items(page);
  if (items.empty()) return "";
  const Shades shades = shade_items(page, items);
  std::optional<Categories> categories = find_categories(page.data().item_features, items);
  if (categories) {
    for (auto& [color, name] : categories->names) name = readable(name, 30);
  }
  const auto mapped = static_cast<std::size_t>(std::ranges::count_if(
      page.runs(), [](const Source& run) { return run.embeddings.has_value(); }));
  std::string out;
  for (const Source& run : page.runs()) {
    const std::size_t maps = mapped * (categories ? 2 : 1);
    if (run.embeddings) out += maps_of(page, run, items, shades, categories, kMaxMapped / maps);
  }
  if (out.empty()) return "";
  return section("map", "A map of the items", "<div class=\"charts maps\">\n" + out + "</div>\n");
}

}  // namespace tern::report
