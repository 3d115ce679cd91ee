// The first section: what each run is, and how well it ranks, in sentences and large numbers.

#include <fmt/format.h>

#include <array>

#include "host/report/html.hpp"
#include "host/report/page.hpp"
#include "host/support/number_text.hpp"

namespace tern::report {
namespace {

/// "31%" for 0.314, with a digit more if it is small.
std::string percent(double share) {
  return fmt::format("{:.{}f}%", 100.0 * share, share < 0.0995 ? 1 : 0);
}

std::string describe_run(const Source& run) {
  const Config& config = run.config;
  std::string text = fmt::format("<b>{}</b>: {}", name_of(run), model_name(config.model.kind));
  if (run.is_fitted()) return text + ", fitted without training";
  text += fmt::format(", width {}", config.model.width);
  if (!run.embeddings) return text;
  text += fmt::format(", {} epoch {}", run.has_best ? "best" : "last", run.embeddings->epoch);
  if (run.epochs.lines.empty()) return text;
  return fmt::format("{} of {}", text, run.epochs.lines.back().epoch);
}

std::string describe_ranking(const Page& page, std::size_t index) {
  if (!page.rankings[index]) {
    return page.contest ? " The run has no checkpoint yet, so that nothing is ranked." : "";
  }
  const std::string recall = page.at_k("recall");
  const double found = metric(page.rankings[index]->means, recall);
  const double popular = metric(page.popularity->means, recall);
  std::string text = fmt::format(
      " On average, {} of a user's held-out items are among the first {} of the list; the most "
      "popular items, the same for everybody, have {} of them.",
      percent(found), page.contest->k, percent(popular));
  if (found <= popular) {
    text += " <strong class=\"warn\">This is no better than popularity.</strong>";
  }
  const Source& run = page.runs()[index];
  const char* selected = run.config.select_on == SelectionSplit::kTest ? "test" : "validation";
  if (run.has_best && page.contest->split == selected) {
    text += " The epoch was selected on this same split: the figures are optimistic.";
  }
  return text;
}

/// Large numbers, for a page on one run.
std::string cards(const Page& page) {
  struct Card {
    const char* metric;
    const char* meaning;
  };
  constexpr std::array<Card, 4> kCards{
      Card{"recall", "of a user's held-out items are in the list"},
      Card{"ndcg", "the same, where early places count more"},
      Card{"hit_rate", "of the users have at least one hit"},
      Card{"coverage", "of all items are in somebody's list"},
  };
  std::string out = "<div class=\"cards\">";
  for (const Card& card : kCards) {
    const std::string name = page.at_k(card.metric);
    out += fmt::format(
        "<div><span class=\"what\">{}</span><span class=\"value\">{:.4f}</span><span>{}</span>"
        "<span class=\"against\">popularity: {:.4f}{}</span></div>\n",
        name, metric(page.rankings.front()->means, name), card.meaning,
        metric(page.popularity->means, name),
        page.linear_filter
            ? fmt::format(", linear filter: {:.4f}", metric(page.linear_filter->means, name))
            : "");
  }
  return out + "</div>\n";
}

}  // namespace

std::string summary_section(const Page& page) {
  std::string out;
  for (std::size_t r = 0; r < page.runs().size(); ++r) {
    out += fmt::format("<p>{}.{}</p>\n", describe_run(page.runs()[r]), describe_ranking(page, r));
  }
  const Dataset& data = page.data();
  out += fmt::format(
      "<p>The data has {} users, {} items, and {} interactions for training, {} for validation, "
      "{} for testing.{}</p>\n",
      grouped(data.users.size()), grouped(data.items.size()), grouped(data.train.size()),
      grouped(data.valid.size()), grouped(data.test.size()),
      page.contest ? "" : " Nothing is held out, so that the rankings cannot be measured.");
  if (page.runs().size() == 1 && page.rankings.front()) out += cards(page);
  return section("summary", "Summary", out);
}

}  // namespace tern::report
