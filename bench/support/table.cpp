#include "bench/support/table.hpp"

#include <fmt/format.h>

namespace tern::bench {
namespace {

constexpr char kLegend[] =
    "ms          the median of 9 repetitions; +-%: their standard deviation, in percent\n"
    "MB, GB/s    the fewest bytes that any implementation moves if no gathered row is in a cache, "
    "and\n"
    "            these bytes per second; GFLOP/s likewise (formulas: bench/support/costs.hpp)\n"
    "of ceiling  GB/s divided by the measured ceiling of a copy, or of a gather of random rows; "
    "for\n"
    "            products GFLOP/s. Above 100%, rows were found in a cache more often than random "
    "rows\n"
    "x tern      the time divided by the time of Tern's own op, the row \"tern\" above\n";

/// The first three parts of a name; Google Benchmark adds more after them.
struct Name {
  std::string op;
  std::string variant;
  std::string strategy;
};

Name split_name(const std::string& name) {
  const auto first = name.find('/');
  const auto second = name.find('/', first + 1);
  return {name.substr(0, first), name.substr(first + 1, second - first - 1),
          name.substr(second + 1)};
}

double counter(const benchmark::BenchmarkReporter::Run& run, const std::string& name) {
  const auto found = run.counters.find(name);
  return found == run.counters.end() ? 0.0 : found->second.value;
}

/// About three digits; a dash for a missing figure.
std::string figure(double value) {
  if (value == 0.0) return "-";
  return fmt::format("{:.{}f}", value,
                     value >= 100.0  ? 0
                     : value >= 10.0 ? 1
                     : value >= 1.0  ? 2
                                     : 3);
}

}  // namespace

bool TableReporter::ReportContext(const Context& /*context*/) {
  fmt::print(out_, "{}\n{:<20} {:<22} {:<17} {:>9}{:>6}{:>9}{:>8}{:>9}  {:<13}{:>6}\n", title_,
             "op", "variant", "strategy", "ms", "+-%", "MB", "GB/s", "GFLOP/s", "of ceiling",
             "x tern");
  return true;
}

void TableReporter::ReportRuns(const std::vector<Run>& runs) {
  const Run* median = nullptr;
  double spread = 0.0;
  for (const Run& run : runs) {
    if (run.error_occurred) return print_refused(run);
    if (run.run_type != Run::RT_Aggregate) continue;
    if (run.aggregate_name == "median") median = &run;
    if (run.aggregate_name == "cv") spread = run.real_accumulated_time;  // a ratio
  }
  if (median != nullptr) print_timed(*median, spread);
  std::fflush(out_);
}

void TableReporter::Finalize() {
  fmt::print(out_, "\n{}", kLegend);
  std::fflush(out_);
}

void TableReporter::print_refused(const Run& run) {
  const Name name = split_name(run.run_name.function_name);
  if (!refused_.insert(run.run_name.function_name).second) return;
  ++summary_.refused;
  fmt::print(out_, "{:<20} {:<22} {:<17} REFUSED, not timed: {}\n", name.op, name.variant,
             name.strategy, run.error_message);
}

void TableReporter::print_timed(const Run& median, double spread) {
  const Name name = split_name(median.run_name.function_name);
  const double ms = median.GetAdjustedRealTime();
  std::string share;
  for (const char* bound : {"copy", "gather", "product"}) {
    const double part = counter(median, std::string("share_of_") + bound);
    if (part > 0.0) share = fmt::format("{:>3.0f}% {}", 100.0 * part, bound);
  }
  const std::string variant = name.op + "/" + name.variant;
  std::string ratio;
  if (name.strategy == "tern") {
    tern_ms_[variant] = ms;
  } else if (const auto own = tern_ms_.find(variant); own != tern_ms_.end()) {
    ratio = fmt::format("{:.2f}", ms / own->second);
  }
  ++summary_.timed;
  fmt::print(out_, "{:<20} {:<22} {:<17} {:>9}{:>6.0f}{:>9}{:>8}{:>9}  {:<13}{:>6}\n", name.op,
             name.variant, name.strategy, figure(ms), 100.0 * spread,
             figure(counter(median, "bytes") * 1e-6), figure(counter(median, "GB_per_s")),
             figure(counter(median, "GFLOP_per_s")), share, ratio);
}

}  // namespace tern::bench
