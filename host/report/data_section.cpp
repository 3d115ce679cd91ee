// Sizes of the data and distributions of the degrees.

#include <fmt/format.h>

#include <array>

#include "host/report/html.hpp"
#include "host/report/page.hpp"
#include "host/support/hash.hpp"
#include "host/support/number_text.hpp"
#include "tern/inspect.hpp"

namespace tern::report {
namespace {

std::string size_table(const Page& page) {
  struct Split {
    const char* name;
    const Interactions* interactions;
  };
  const Dataset& data = page.data();
  const std::array<Split, 3> splits{Split{"train", &data.train}, Split{"validation", &data.valid},
                                    Split{"test", &data.test}};
  HtmlTable table;
  for (const char* head :
       {"split", "interactions", "density", "users with any", "items with any", "median of a user",
        "most of a user", "median of an item", "most of an item"}) {
    table.add_head(head);
  }
  for (const Split& split : splits) {
    const InteractionsSummary sums = summarize(*split.interactions);
    table.add_row(split.name);
    table.add(grouped(sums.interactions));
    table.add(fmt::format("{}%", brief(100.0 * sums.density)));
    table.add(grouped(sums.users.nodes - sums.users.empty));
    table.add(grouped(sums.items.nodes - sums.items.empty));
    for (const SideSummary* side : {&sums.users, &sums.items}) {
      table.add(grouped(side->degrees.median));
      table.add(grouped(side->degrees.max));
    }
  }
  return table.html();
}

std::string degree_chart(const ChartText& text, const Groups& groups, std::string_view side) {
  Bars bars{.key = {.name = "", .color = 0}, .heights = {}, .tips = {}};
  for (std::size_t g = 0; g < groups.names.size(); ++g) {
    bars.heights.push_back(static_cast<double>(groups.sizes[g]));
    bars.tips.push_back(
        fmt::format("{} {} with {} interactions", grouped(groups.sizes[g]), side, groups.names[g]));
  }
  return bar_chart(text, groups.names, {bars});
}

}  // namespace

std::string data_section(const Page& page) {
  const Dataset& data = page.data();
  std::string out = fmt::format(
      "<p>{} users and {} items; fingerprint of the splits: {}. Density is the share of all pairs "
      "of a user and an item "
      "that are in a split.</p>\n",
      grouped(data.users.size()), grouped(data.items.size()), hexadecimal(data.fingerprint));
  out += size_table(page) + "<div class=\"charts\">\n";
  if (data.users.size() > 0 && data.items.size() > 0) {
    out += degree_chart({"Interactions of a user",
                         "How many users have how many training interactions. The groups widen by "
                         "one factor, as the "
                         "numbers often span several powers of ten.",
                         "training interactions of the user", "users"},
                        page.user_groups, "users");
    out += degree_chart({"Interactions of an item",
                         "How many items have how many training interactions. Few items usually "
                         "have most of them; of an item "
                         "without any, a model without features knows nothing.",
                         "training interactions of the item", "items"},
                        page.item_groups, "items");
  }
  return section("data", "The data", out + "</div>\n");
}

}  // namespace tern::report
