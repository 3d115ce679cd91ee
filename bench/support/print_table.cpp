#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "bench/support/report.hpp"
#include "bench/support/rows.hpp"

namespace tern::bench {
namespace {

constexpr char kLegend[] =
    "ms          the median over all blocks of their medians; +-%: interquartile range of the "
    "blocks,\n"
    "            in percent of it; runs: timed in all blocks\n"
    "MB, GB/s    the fewest bytes that any implementation moves if no gathered row is in a cache, "
    "and\n"
    "            these bytes per second; GFLOP/s likewise (formulas: bench/support/costs.hpp)\n"
    "of ceiling  the least time that the measured ceilings allow for the op's own mix of reads, "
    "writes\n"
    "            and gathers, or for its products, divided by its time. IMPLAUSIBLE: above 100% by "
    "more\n"
    "            than the spread of the ceiling; do not believe such a row\n"
    "x tern      the time divided by the time of Tern's own op, the row \"tern\" above\n";

/// About three digits; a dash for a missing figure.
std::string figure(double value) {
  if (value == 0.0) return "-";
  return fmt::format("{:.{}f}", value,
                     value >= 100.0  ? 0
                     : value >= 10.0 ? 1
                     : value >= 1.0  ? 2
                                     : 3);
}

std::string share_of(const Result& row) {
  if (row.limit.seconds <= 0.0) return "";
  return fmt::format("{:>3.0f}% {}", 100.0 * row.limit.seconds / row.median(), row.limit.name);
}

std::string name_columns(const Result& row) {
  return fmt::format("{:<21} {:<24} {:<17} ", row.op, row.label(), row.strategy);
}

/// The seconds of Tern's own ops, with which those of their rivals are compared.
class Own {
 public:
  /// "1.25": the time of a rival over that of Tern's op in the same state, if that was timed before.
  std::string ratio(const Result& row) {
    const std::string key = row.op + "/" + row.label() + "/" + name_of(row.caches);
    if (row.strategy == "tern") {
      seconds_[key] = row.median();
      return "";
    }
    const auto tern = seconds_.find(key);
    return tern == seconds_.end() ? "" : fmt::format("{:.2f}", row.median() / tern->second);
  }

 private:
  std::map<std::string, double> seconds_;
};

const char* warning(const Result& row) {
  return row.limit.exceeded_by(row.median()) ? " IMPLAUSIBLE" : "";
}

void print_one_state(std::FILE* out, const std::vector<Result>& results) {
  fmt::print(out, "{:<21} {:<24} {:<17} {:>9}{:>6}{:>7}{:>9}{:>8}{:>9}  {:<13}{:>6}\n", "op",
             "variant", "strategy", "ms", "+-%", "runs", "MB", "GB/s", "GFLOP/s", "of ceiling",
             "x tern");
  Own own;
  for (const Result& row : results) {
    fmt::print(out, "{}", name_columns(row));
    if (!row.problem.empty()) {
      fmt::print(out, "REFUSED, not timed: {}\n", row.problem);
      continue;
    }
    const double seconds = row.median();
    fmt::print(out, "{:>9}{:>6.0f}{:>7}{:>9}{:>8}{:>9}  {:<13}{:>6}{}\n", figure(seconds * 1e3),
               100.0 * row.spread(), row.runs, figure(row.cost.bytes * 1e-6),
               figure(row.cost.bytes / seconds * 1e-9), figure(row.cost.flops / seconds * 1e-9),
               share_of(row), own.ratio(row), warning(row));
  }
}

/// Both states of a case, which follow each other in the results, in one row.
void print_both_states(std::FILE* out, const std::vector<Result>& results) {
  constexpr std::size_t kStates = 2;
  fmt::print(out, "{:<64}{:>9} ", "", "");
  for (std::size_t s = 0; s < kStates; ++s) {
    fmt::print(out, "| {:<45}", name_of(results[s].caches));
  }
  fmt::print(out, "\n{:<21} {:<24} {:<17} {:>9} ", "op", "variant", "strategy", "MB");
  for (std::size_t s = 0; s < kStates; ++s) {
    fmt::print(out, "|{:>9}{:>6}{:>8}  {:<13}{:>6}  ", "ms", "+-%", "GB/s", "of ceiling", "x tern");
  }
  fmt::print(out, "| time of {} over {}\n", name_of(results[0].caches), name_of(results[1].caches));
  Own own;
  for (std::size_t first = 0; first + kStates <= results.size(); first += kStates) {
    const Result& row = results[first];
    fmt::print(out, "{}", name_columns(row));
    if (!row.problem.empty()) {
      fmt::print(out, "REFUSED, not timed: {}\n", row.problem);
      continue;
    }
    fmt::print(out, "{:>9} ", figure(row.cost.bytes * 1e-6));
    std::string warnings;
    for (std::size_t s = 0; s < kStates; ++s) {
      const Result& state = results[first + s];
      fmt::print(out, "|{:>9}{:>6.0f}{:>8}  {:<13}{:>6}  ", figure(state.median() * 1e3),
                 100.0 * state.spread(), figure(state.cost.bytes / state.median() * 1e-9),
                 share_of(state), own.ratio(state));
      if (*warning(state) != '\0')
        warnings += fmt::format("{} {}", warning(state), name_of(state.caches));
    }
    fmt::print(out, "|{:>6.2f}{}\n", row.median() / results[first + 1].median(), warnings);
  }
}

}  // namespace

Summary summary_of(const std::vector<Result>& results) {
  Summary summary;
  for (const Result& row : results) {
    const bool refused = !row.problem.empty();
    summary.refused += refused ? 1 : 0;
    summary.timed += refused ? 0 : 1;
    summary.implausible += !refused && row.limit.exceeded_by(row.median()) ? 1 : 0;
  }
  return summary;
}

Summary print_table(std::FILE* out, const std::string& title, const std::vector<Result>& results) {
  fmt::print(out, "{}\n", title);
  const auto other = std::ranges::find_if(
      results, [&](const Result& row) { return row.caches != results.front().caches; });
  if (other == results.end()) {
    print_one_state(out, results);
  } else {
    print_both_states(out, results);
  }
  fmt::print(out, "\n{}", kLegend);
  std::fflush(out);
  return summary_of(results);
}

}  // namespace tern::bench
