// Lists of a few users, beside what was held out.

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "host/report/html.hpp"
#include "host/report/page.hpp"
#include "host/support/number_text.hpp"

namespace tern::report {
namespace {

constexpr std::size_t kUsers = 6;
constexpr std::size_t kListed = 10;             // of a list
constexpr std::size_t kNamed = 12;              // of the items that a user has
constexpr std::int64_t kMaxRanked = 1'000'000;  // items of a whole list, so that it stays small

/// Users with held-out and training items, from few training items to many, at even steps.
std::vector<NodeId> choose_users(const Page& page) {
  std::vector<NodeId> users = page.contest->users;
  const auto degree = [&](NodeId user) {
    return page.user_degrees[static_cast<std::size_t>(user)];
  };
  std::erase_if(users, [&](NodeId user) { return degree(user) == 0; });
  std::ranges::stable_sort(users, {}, degree);
  if (users.size() <= kUsers) return users;
  std::vector<NodeId> chosen;
  chosen.reserve(kUsers);
  for (std::size_t i = 0; i < kUsers; ++i) {
    chosen.push_back(users[(2 * i + 1) * users.size() / (2 * kUsers)]);
  }
  return chosen;
}

/// The first names of items, and how many more there are.
std::string names_of_items(const Page& page, std::span<const NodeId> items) {
  std::string out;
  for (std::size_t i = 0; i < std::min(items.size(), kNamed); ++i) {
    out += (i == 0 ? "" : ", ") + id_element(page.data().items.name(items[i]));
  }
  if (items.size() > kNamed) out += fmt::format(" and {} more", items.size() - kNamed);
  return out;
}

/// A user's list of one run, with its hits, and the places of all held-out items.
std::string list_of(const Page& page, std::size_t run, NodeId user, std::span<const NodeId> list) {
  const std::span<const NodeId> wanted = page.contest->held_out->row(user);
  std::string out = fmt::format("<div class=\"list\"><h4 class=\"c{}\">{}</h4>\n<ol>", run,
                                page.runs().size() > 1 ? name_of(page.runs()[run]) : "Recommended");
  std::vector<std::pair<std::size_t, NodeId>> places;
  for (std::size_t i = 0; i < list.size() && list[i] >= 0; ++i) {
    const bool hit = std::ranges::binary_search(wanted, list[i]);
    if (hit) places.emplace_back(i + 1, list[i]);
    if (i >= kListed) continue;
    const std::string name = id_element(page.data().items.name(list[i]));
    out += hit ? fmt::format("<li class=\"hit\">{} <span class=\"mark\">held out</span></li>", name)
               : fmt::format("<li>{}</li>", name);
  }
  out += "</ol>\n<p class=\"places\">Held out, with place: ";
  for (std::size_t i = 0; i < std::min(places.size(), kNamed); ++i) {
    out += fmt::format("{}{}&nbsp;<b>{}</b>", i == 0 ? "" : ", ",
                       id_element(page.data().items.name(places[i].second)),
                       grouped(static_cast<std::int64_t>(places[i].first)));
  }
  if (places.size() > kNamed) out += fmt::format(" and {} more", places.size() - kNamed);
  if (places.size() < wanted.size()) {
    out += fmt::format("{}{} not ranked, since the user has them for training{} too",
                       places.empty() ? "" : "; ", wanted.size() - places.size(),
                       page.contest->observed.size() > 1 ? " or validation" : "");
  }
  return out + "</p></div>\n";
}

}  // namespace

std::string examples_section(const Page& page, Backend& backend) {
  if (!page.contest || page.data().items.size() > kMaxRanked) return "";
  const std::vector<NodeId> users = choose_users(page);
  const auto k = static_cast<std::size_t>(page.data().items.size());
  std::vector<std::string> lists(users.size());  // by user
  for (std::size_t r = 0; r < page.runs().size(); ++r) {
    if (!page.rankings[r]) continue;
    const std::vector<NodeId> ranked =
        rank_users(*page.contest, page.runs()[r], backend, users, static_cast<std::int64_t>(k));
    for (std::size_t i = 0; i < users.size(); ++i) {
      lists[i] += list_of(page, r, users[i], std::span(ranked).subspan(i * k, k));
    }
  }
  if (users.empty() || lists.front().empty()) return "";
  std::string out = fmt::format(
      "<p>{} users, chosen by the number of their training interactions alone, from few to many. "
      "Each list is the one "
      "that was measured: all {} items without those that the user has already. Places count from "
      "1.</p>\n",
      users.size(), grouped(static_cast<std::int64_t>(k)));
  out += fmt::format("<div class=\"examples{}\">\n", page.runs().size() == 1 ? " one" : "");
  for (std::size_t i = 0; i < users.size(); ++i) {
    const std::span<const NodeId> known = page.data().train.row(users[i]);
    out += fmt::format(
        "<article><h3>{}</h3>\n<p>{} training interactions: {}</p>\n<div "
        "class=\"lists\">\n{}</div></article>\n",
        id_element(page.data().users.name(users[i])),
        grouped(static_cast<std::int64_t>(known.size())), names_of_items(page, known), lists[i]);
  }
  return section("examples", "Examples", out + "</div>\n");
}

}  // namespace tern::report
