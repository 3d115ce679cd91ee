// Metrics of the runs and of rankings without training, as a table.

#include <fmt/format.h>

#include <algorithm>

#include "host/report/html.hpp"
#include "host/report/page.hpp"
#include "host/support/number_text.hpp"

namespace tern::report {
namespace {

constexpr std::string_view kGlossary = R"(<details><summary>What the metrics mean</summary>
<dl>
<dt>recall@k</dt><dd>the share of a user's held-out items that are among the first k of the list</dd>
<dt>precision@k</dt><dd>the share of the first k that are held-out items</dd>
<dt>ndcg@k</dt><dd>hits weighted by 1 / log₂(place + 1), divided by the best possible sum</dd>
<dt>hit_rate@k</dt><dd>the share of users with at least one hit among the first k</dd>
<dt>mrr@k</dt><dd>1 / place of the first hit, 0 without a hit</dd>
<dt>map@k</dt><dd>the mean of the precision at the place of each hit</dd>
<dt>coverage@k</dt><dd>the share of all items that are among the first k of somebody</dd>
</dl></details>
)";

void add_cells(HtmlTable& table, const std::vector<double>& values) {
  const double best = *std::ranges::max_element(values);
  for (const double value : values) {
    table.add(fmt::format("{:.4f}", value), value == best && values.size() > 1 ? "best" : "");
  }
}

}  // namespace

std::string metrics_section(const Page& page) {
  if (!page.contest) return "";
  HtmlTable table;
  table.add_head("metric");
  std::vector<const Metrics*> columns;
  for (std::size_t r = 0; r < page.runs().size(); ++r) {
    if (!page.rankings[r]) continue;
    table.add_head(name_of(page.runs()[r]));
    columns.push_back(&page.rankings[r]->means);
  }
  table.add_head("popularity");
  columns.push_back(&page.popularity->means);
  if (page.linear_filter) {
    table.add_head("linear filter");
    columns.push_back(&page.linear_filter->means);
  }
  for (const auto& [name, ignored] : page.popularity->means) {
    if (name == "users") continue;
    table.add_row(name);
    std::vector<double> values;
    values.reserve(columns.size());
    for (const Metrics* metrics : columns) values.push_back(metric(*metrics, name));
    add_cells(table, values);
  }
  const std::string intro = fmt::format(
      "<p>Means over the {} users with held-out items of the {} split, each between 0 and 1; more "
      "is "
      "better. All items are ranked for every user, except for those that the user has for "
      "training{}. "
      "<b>popularity</b> ranks items by their number of training interactions, the same for "
      "everybody: "
      "a model must beat it. {} The best of a row is bold.</p>\n",
      grouped(static_cast<std::int64_t>(page.contest->users.size())), page.contest->split,
      page.contest->observed.size() > 1 ? " or validation" : "",
      page.linear_filter
          ? "<b>linear filter</b> ranks the items of users who share items with the user, one hop "
            "of the graph without training: a model with layers should beat it too."
          : "The linear graph filter, a stronger ranking without training, is left out because "
            "it would take long on this data: <code>tern evaluate --baselines</code> measures it.");
  return section("metrics", "How well it ranks", intro + table.html() + std::string(kGlossary));
}

}  // namespace tern::report
