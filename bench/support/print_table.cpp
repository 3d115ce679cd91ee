#include <fmt/format.h>

#include <map>

#include "bench/support/report.hpp"

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

std::string share_of(const Limit& limit, double seconds) {
  if (limit.seconds <= 0.0) return "";
  return fmt::format("{:>3.0f}% {}", 100.0 * limit.seconds / seconds, limit.name);
}

}  // namespace

Summary print_table(std::FILE* out, const std::string& title, const std::vector<Result>& results) {
  fmt::print(out, "{}\n{:<20} {:<22} {:<17} {:>9}{:>6}{:>7}{:>9}{:>8}{:>9}  {:<13}{:>6}\n", title,
             "op", "variant", "strategy", "ms", "+-%", "runs", "MB", "GB/s", "GFLOP/s",
             "of ceiling", "x tern");
  Summary summary;
  std::map<std::string, double> own;  // seconds of Tern's op, by op/variant
  for (const Result& row : results) {
    fmt::print(out, "{:<20} {:<22} {:<17} ", row.op, row.variant, row.strategy);
    if (!row.problem.empty()) {
      ++summary.refused;
      fmt::print(out, "REFUSED, not timed: {}\n", row.problem);
      continue;
    }
    ++summary.timed;
    const double seconds = row.median();
    const std::string variant = row.op + "/" + row.variant;
    std::string ratio;
    if (row.strategy == "tern") {
      own[variant] = seconds;
    } else if (const auto tern = own.find(variant); tern != own.end()) {
      ratio = fmt::format("{:.2f}", seconds / tern->second);
    }
    const bool implausible = row.limit.exceeded_by(seconds);
    summary.implausible += implausible ? 1 : 0;
    fmt::print(out, "{:>9}{:>6.0f}{:>7}{:>9}{:>8}{:>9}  {:<13}{:>6}{}\n", figure(seconds * 1e3),
               100.0 * row.spread(), row.runs, figure(row.cost.bytes * 1e-6),
               figure(row.cost.bytes / seconds * 1e-9), figure(row.cost.flops / seconds * 1e-9),
               share_of(row.limit, seconds), ratio, implausible ? " IMPLAUSIBLE" : "");
  }
  fmt::print(out, "\n{}", kLegend);
  std::fflush(out);
  return summary;
}

}  // namespace tern::bench
