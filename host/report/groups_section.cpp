// Recall by the popularity of items and by the activity of users.

#include <fmt/format.h>

#include "host/report/html.hpp"
#include "host/report/page.hpp"
#include "host/support/number_text.hpp"

namespace tern::report {
namespace {

using MeasureGroups = GroupRecall (*)(const Contest&, const Ranking&, const Groups&);

/// of_what: "held-out items" or "users", for the values under the pointer.
std::string recall_chart(const Page& page, const ChartText& text, const Groups& groups,
                         MeasureGroups measure_groups, std::string_view of_what) {
  std::vector<Bars> all;
  const auto add = [&](const Key& key, const std::string& plain_name, const Ranking& ranking) {
    const GroupRecall found = measure_groups(*page.contest, ranking, groups);
    Bars bars{.key = key, .heights = found.recall, .tips = {}};
    for (std::size_t g = 0; g < groups.names.size(); ++g) {
      bars.tips.push_back(fmt::format("{}\n{} interactions: {:.4f}\n{} {}",
                                      readable(plain_name, 40), groups.names[g], found.recall[g],
                                      grouped(found.count[g]), of_what));
    }
    all.push_back(std::move(bars));
  };
  for (std::size_t r = 0; r < page.runs().size(); ++r) {
    if (page.rankings[r]) add(key_of(page, r), page.runs()[r].name, *page.rankings[r]);
  }
  add(kPopularityKey, "popularity", *page.popularity);
  return bar_chart(text, groups.names, all);
}

}  // namespace

std::string groups_section(const Page& page) {
  if (!page.contest) return "";
  const std::string recall = page.at_k("recall");
  const std::int64_t k = page.contest->k;
  std::string out = "<div class=\"charts\">\n";
  out += recall_chart(page,
                      {"By popularity of the item",
                       fmt::format("Of the held-out items in a group, the share that is among the "
                                   "first {} of its user's list. Bars that are high "
                                   "only on the right mean that rare items are hardly ever found.",
                                   k),
                       "training interactions of the item", "share found"},
                      page.item_groups, &recall_of_items, "held-out interactions");
  out += recall_chart(page,
                      {"By activity of the user",
                       fmt::format("The mean {} of the users in a group. Users with few "
                                   "interactions are harder to know; the most active ones have "
                                   "many held-out items, of which a list of {} cannot hold all.",
                                   recall, k),
                       "training interactions of the user", recall},
                      page.user_groups, &recall_of_users, "users with held-out items");
  return section("groups", "Where it is right",
                 out +
                     "</div>\n<p>A bar of few items or users is uncertain: its numbers appear "
                     "under the pointer.</p>\n");
}

}  // namespace tern::report
