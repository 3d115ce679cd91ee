#include "host/report/page.hpp"

#include <fmt/format.h>

#include "host/report/html.hpp"

namespace tern::report {
namespace {

constexpr std::size_t kNameCharacters = 40;

}  // namespace

std::string Page::at_k(const std::string& metric) const {
  return fmt::format("{}@{}", metric, contest ? contest->k : 0);
}

Page measure_page(Sources sources, Backend& backend) {
  Page page{.sources = std::move(sources)};
  page.contest = find_contest(page.data(), page.runs().front().config.evaluation);
  for (const Source& run : page.runs()) {
    page.rankings.emplace_back();
    if (page.contest && run.has_model()) {
      page.rankings.back() = rank_by_model(*page.contest, run, backend);
    }
  }
  if (page.contest) {
    page.popularity = rank_by_popularity(*page.contest);
    page.linear_filter = rank_by_linear_filter(*page.contest);
  }
  page.user_degrees = degrees(page.data().train, Side::kUser);
  page.item_degrees = degrees(page.data().train, Side::kItem);
  page.user_groups = group_by_degree(page.user_degrees);
  page.item_groups = group_by_degree(page.item_degrees);
  return page;
}

std::string name_of(const Source& run) {
  return fmt::format("<bdi>{}</bdi>", escaped(run.name, kNameCharacters));
}

Key key_of(const Page& page, std::size_t run) {
  return {.name = name_of(page.runs()[run]), .color = static_cast<int>(run)};
}

std::string section(const std::string& id, const std::string& title, const std::string& body) {
  if (body.empty()) return "";
  return fmt::format("<section id=\"{}\">\n<h2>{}</h2>\n{}</section>\n", id, title, body);
}

}  // namespace tern::report
