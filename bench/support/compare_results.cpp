#include "bench/support/compare_results.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "bench/support/rows.hpp"
#include "bench/support/student.hpp"
#include "tern/error.hpp"

namespace tern::bench {
namespace {

constexpr double kSignificant = 0.05;
constexpr double kSmallest = 0.05;  // by as much do two runs of one program differ as wholes

/// The value at a part (0 to 1) of the sorted values.
double quantile(std::vector<double> values, double part) {
  if (values.empty()) return 0.0;
  const auto at = static_cast<std::size_t>(part * static_cast<double>(values.size() - 1) + 0.5);
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(at));
  return values[at];
}

/// The median; of an even number, the mean of both in the middle, as processes have few blocks.
double median_of(std::vector<double> values) {
  if (values.empty()) return 0.0;
  std::ranges::sort(values);
  return (values[(values.size() - 1) / 2] + values[values.size() / 2]) / 2.0;
}

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double variance_of(const std::vector<double>& values) {
  const double mean = mean_of(values);
  double sum = 0.0;
  for (const double value : values) sum += (value - mean) * (value - mean);
  return sum / static_cast<double>(values.size() - 1);
}

/// As a log, like an effect: the blocks of a busy machine differ by factors.
double noise_of(const std::vector<double>& seconds) {
  return std::log(quantile(seconds, 0.75) / quantile(seconds, 0.25));
}

/// A case of one run: the log of the median of its blocks, by process.
using Sample = std::map<int, double>;

Sample sample_of(const CaseBlocks& one) {
  std::map<int, std::vector<double>> blocks;
  for (std::size_t i = 0; i < one.seconds.size(); ++i) {
    blocks[one.processes.at(i)].push_back(one.seconds[i]);
  }
  Sample sample;
  for (const auto& [process, seconds] : blocks) sample[process] = std::log(median_of(seconds));
  return sample;
}

std::vector<double> values_of(const Sample& sample) {
  std::vector<double> values;
  for (const auto& [process, value] : sample) values.push_back(value);
  return values;
}

/// Takes out of each process what it adds to all cases of its run alike.
void take_out_processes(std::vector<Sample>& run) {
  std::map<int, std::vector<double>> distances;
  for (const Sample& sample : run) {
    const double mean = mean_of(values_of(sample));
    for (const auto& [process, value] : sample) distances[process].push_back(value - mean);
  }
  Sample shared;
  for (const auto& [process, all] : distances) shared[process] = median_of(all);
  const double mean = mean_of(values_of(shared));  // stays, as the run's
  for (Sample& sample : run) {
    for (auto& [process, value] : sample) value -= shared.at(process) - mean;
  }
}

/// Holm: the k-th smallest of m is multiplied by m - k, and is no smaller than the one before.
void correct(std::vector<Change>& changes) {
  std::vector<std::size_t> order(changes.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, {}, [&](std::size_t i) { return changes[i].p; });
  double largest = 0.0;
  for (std::size_t k = 0; k < order.size(); ++k) {
    double& p = changes[order[k]].p;
    largest = std::max(largest, std::min(1.0, p * static_cast<double>(order.size() - k)));
    p = largest;
  }
}

/// What the table cannot tell, as lines below it.
std::string limits_of(const Comparison& comparison) {
  if (comparison.cases.empty()) {
    return "The runs have no case in common, such as by another --width: nothing is compared.\n";
  }
  std::string lines;
  if (comparison.processes == 1) {
    lines +=
        "A run in one process cannot be told from another placement of memory: no verdicts. "
        "Measure\nboth with --processes 6.\n";
  }
  if (comparison.cases.size() < kSharedCases) {
    lines += fmt::format(
        "Fewer than {} cases: a change of the machine is not taken out. Compare more cases, or "
        "repeat\nboth runs by turns.\n",
        kSharedCases);
  }
  return lines;
}

}  // namespace

std::vector<CaseBlocks> read_blocks(const std::filesystem::path& file) {
  std::ifstream in(file);
  if (!in) throw DataError(file.string(), 0, "cannot be read");
  std::vector<CaseBlocks> cases;
  try {
    const nlohmann::json results = nlohmann::json::parse(in);
    for (const nlohmann::json& row : results.at("benchmarks")) {
      if (row.at("run_type") != "iteration" || row.contains("error_occurred")) continue;
      const std::string name = full_name(row);
      if (cases.empty() || cases.back().name != name) cases.push_back({name, {}, {}});
      const double seconds = row.at("real_time").get<double>() * 1e-3;
      if (!(seconds > 0.0)) throw DataError(file.string(), 0, "a time that is not positive");
      cases.back().seconds.push_back(seconds);
      cases.back().processes.push_back(row.value("process", 0));
    }
  } catch (const nlohmann::json::exception& error) {
    throw DataError(file.string(), 0, fmt::format("no results of tern-bench: {}", error.what()));
  }
  return cases;
}

double welch_p(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() < 2 || b.size() < 2) return 1.0;
  const auto size_a = static_cast<double>(a.size());
  const auto size_b = static_cast<double>(b.size());
  const double error_a = variance_of(a) / size_a;
  const double error_b = variance_of(b) / size_b;
  const double error = error_a + error_b;
  const double difference = mean_of(b) - mean_of(a);
  if (error == 0.0) return difference == 0.0 ? 1.0 : 0.0;
  const double degrees =
      error * error / (error_a * error_a / (size_a - 1.0) + error_b * error_b / (size_b - 1.0));
  // Rounding must not take a degree away.
  return student_p(difference / std::sqrt(error), static_cast<int>(degrees * (1 + 1e-12)));
}

Comparison compare_blocks(const std::vector<CaseBlocks>& before,
                          const std::vector<CaseBlocks>& after) {
  Comparison comparison;
  std::vector<Sample> earlier;
  std::vector<Sample> later;
  for (const CaseBlocks& one : before) {
    const auto other = std::ranges::find(after, one.name, &CaseBlocks::name);
    if (other == after.end()) continue;
    earlier.push_back(sample_of(one));
    later.push_back(sample_of(*other));
    const int processes = static_cast<int>(std::min(earlier.back().size(), later.back().size()));
    comparison.processes =
        comparison.cases.empty() ? processes : std::min(comparison.processes, processes);
    comparison.cases.push_back(
        {.name = one.name,
         .before = quantile(one.seconds, 0.5),
         .after = quantile(other->seconds, 0.5),
         .noise = std::max(noise_of(one.seconds), noise_of(other->seconds))});
  }
  const bool shares = comparison.cases.size() >= kSharedCases;
  if (shares) {
    take_out_processes(earlier);
    take_out_processes(later);
  }
  std::vector<double> effects;
  for (std::size_t i = 0; i < earlier.size(); ++i) {
    effects.push_back(mean_of(values_of(later[i])) - mean_of(values_of(earlier[i])));
  }
  comparison.shared = shares ? median_of(effects) : 0.0;
  for (std::size_t i = 0; i < earlier.size(); ++i) {
    for (auto& [process, value] : later[i]) value -= comparison.shared;
    comparison.cases[i].effect = effects[i] - comparison.shared;
    comparison.cases[i].p = welch_p(values_of(earlier[i]), values_of(later[i]));
  }
  correct(comparison.cases);
  for (Change& change : comparison.cases) {
    const double margin = std::max(kSmallest, change.noise + std::abs(comparison.shared));
    change.significant = change.p < kSignificant && std::abs(change.effect) > margin;
  }
  return comparison;
}

int print_comparison(std::FILE* out, const Comparison& comparison) {
  fmt::print(out, "{:<64} {:>10} {:>10} {:>8} {:>6} {:>6}\n", "case", "before ms", "after ms",
             "change%", "+-%", "p");
  int changed = 0;
  for (const Change& change : comparison.cases) {
    const char* verdict = !change.significant ? "" : change.effect < 0.0 ? "  faster" : "  SLOWER";
    changed += change.significant ? 1 : 0;
    fmt::print(out, "{:<64} {:>10.4f} {:>10.4f} {:>+8.1f} {:>6.1f} {:>6.3f}{}\n", change.name,
               change.before * 1e3, change.after * 1e3, 100.0 * std::expm1(change.effect),
               100.0 * std::expm1(change.noise), change.p, verdict);
  }
  fmt::print(out,
             "\n{} of {} cases changed. All together: {:+.1f}%, taken out of each change.\n"
             "change%: mean over the {} or more processes of each run; +-%: interquartile range of "
             "the\n"
             "blocks of the noisier run; p: Welch's test on the processes, with Holm's correction "
             "for all\n"
             "cases (bench/README.md)\n{}",
             changed, comparison.cases.size(), 100.0 * std::expm1(comparison.shared),
             comparison.processes, limits_of(comparison));
  return changed;
}

}  // namespace tern::bench
