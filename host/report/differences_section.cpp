// Differences of the other runs from the first, user by user.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "host/report/bootstrap.hpp"
#include "host/report/html.hpp"
#include "host/report/page.hpp"

namespace tern::report {
namespace {

constexpr Seed kSeed{0};

/// A run's differences from the first run: by user, and summed up by metric.
struct Differences {
  std::vector<double> by_user;  // (users, metrics)
  std::vector<Interval> metrics;
};

Differences differences_of(const Ranking& other, const Ranking& first, std::size_t columns) {
  Differences found;
  for (std::size_t i = 0; i < other.by_user.size(); ++i) {
    found.by_user.push_back(other.by_user[i] - first.by_user[i]);
  }
  found.metrics = bootstrap(found.by_user, columns, kSeed);
  return found;
}

std::string verdict(const Interval& interval) {
  return interval.low > 0.0 ? "better" : interval.high < 0.0 ? "worse" : "not clear";
}

/// The sentence on the users whose recall rises, falls or stays.
std::string count_users(const Differences& found, std::size_t column, std::size_t columns,
                        const std::string& metric) {
  double rises = 0.0, falls = 0.0, users = 0.0;
  for (std::size_t i = column; i < found.by_user.size(); i += columns) {
    users += 1.0;
    if (found.by_user[i] > 0.0) rises += 1.0;
    if (found.by_user[i] < 0.0) falls += 1.0;
  }
  return fmt::format(
      "<p>{} is higher for {:.1f}% of the users, lower for {:.1f}%, and the same for "
      "{:.1f}%.</p>\n",
      metric, 100.0 * rises / users, 100.0 * falls / users,
      100.0 * (users - rises - falls) / users);
}

std::string compare(const Page& page, std::size_t first, std::size_t other) {
  const std::vector<std::string> names = user_metrics(*page.contest);
  const Differences found =
      differences_of(*page.rankings[other], *page.rankings[first], names.size());
  std::vector<double> base;
  double reach = 0.0;
  for (std::size_t m = 0; m < names.size(); ++m) {
    base.push_back(metric(page.rankings[first]->means, names[m]));
    if (!(base[m] > 0.0)) continue;
    const Interval& interval = found.metrics[m];
    reach = std::max({reach, std::abs(interval.low) / base[m], std::abs(interval.high) / base[m]});
  }
  HtmlTable table;
  for (const char* head : {"metric", "difference", "95% interval"}) table.add_head(head);
  table.add_head("the difference is", "text");
  table.add_head(fmt::format("in % of {}, from {:.1f} to +{:.1f}", name_of(page.runs()[first]),
                             -100.0 * reach, 100.0 * reach));
  for (std::size_t m = 0; m < names.size(); ++m) {
    const Interval& interval = found.metrics[m];
    table.add_row(names[m]);
    table.add(fmt::format("{:+.4f}", interval.mean));
    table.add(fmt::format("{:+.4f} to {:+.4f}", interval.low, interval.high));
    table.add(verdict(interval), "text");
    table.add(base[m] > 0.0 && reach > 0.0
                  ? interval_drawing(interval.low / base[m], interval.mean / base[m],
                                     interval.high / base[m], reach, static_cast<int>(other))
                  : "");
  }
  const std::string recall = page.at_k("recall");
  return fmt::format("<h3>{} minus {}</h3>\n", name_of(page.runs()[other]),
                     name_of(page.runs()[first])) +
         count_users(found, metric_column(*page.contest, recall), names.size(), recall) +
         table.html();
}

}  // namespace

std::string differences_section(const Page& page) {
  std::vector<std::size_t> ranked;
  for (std::size_t r = 0; r < page.rankings.size(); ++r) {
    if (page.rankings[r]) ranked.push_back(r);
  }
  if (ranked.size() < 2) return "";
  std::string out = fmt::format(
      "<p>Each user's metric of a run minus the same of the first, averaged over the users. The "
      "95% interval comes from "
      "a paired bootstrap: {} samples of the users, with replacement and a fixed seed. An interval "
      "without 0 means that "
      "other users would very probably show a difference of the same sign. It does not cover what "
      "another seed of the "
      "training would change.</p>\n",
      kResamples);
  for (std::size_t i = 1; i < ranked.size(); ++i) out += compare(page, ranked[0], ranked[i]);
  return section("differences", "Differences between the runs", out);
}

}  // namespace tern::report
