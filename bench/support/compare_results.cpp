#include "bench/support/compare_results.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <random>

#include "bench/support/rows.hpp"
#include "tern/error.hpp"

namespace tern::bench {
namespace {

constexpr double kSignificant = 0.05;
constexpr double kSmallest = 0.05;  // by as much do two runs of one program differ as wholes
constexpr std::size_t kExactBlocks = 16;

/// The value at a part (0 to 1) of the sorted values.
double quantile(std::vector<double> values, double part) {
  if (values.empty()) return 0.0;
  const auto at = static_cast<std::size_t>(part * static_cast<double>(values.size() - 1) + 0.5);
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(at));
  return values[at];
}

/// As a log, like an effect: the blocks of a busy machine differ by factors.
double noise_of(const std::vector<double>& seconds) {
  return std::log(quantile(seconds, 0.75) / quantile(seconds, 0.25));
}

struct Pair {
  const CaseBlocks* before;
  const CaseBlocks* after;
  std::vector<double> logs;
};

std::vector<Pair> pairs_of(const std::vector<CaseBlocks>& before,
                           const std::vector<CaseBlocks>& after) {
  std::vector<Pair> pairs;
  for (const CaseBlocks& one : before) {
    const auto other = std::ranges::find(after, one.name, &CaseBlocks::name);
    if (other == after.end()) continue;
    Pair pair{&one, &*other, {}};
    const std::size_t blocks = std::min(one.seconds.size(), other->seconds.size());
    for (std::size_t i = 0; i < blocks; ++i) {
      pair.logs.push_back(std::log(other->seconds[i] / one.seconds[i]));
    }
    pairs.push_back(std::move(pair));
  }
  return pairs;
}

/// Takes the change that all pairs share out of each block. Returns its median over the blocks.
double take_shared(std::vector<Pair>& pairs) {
  if (pairs.size() < kSharedCases) return 0.0;
  std::vector<double> shared;
  for (std::size_t block = 0;; ++block) {
    std::vector<double> logs;
    for (const Pair& pair : pairs) {
      if (block < pair.logs.size()) logs.push_back(pair.logs[block]);
    }
    if (logs.empty()) break;
    shared.push_back(quantile(logs, 0.5));
    for (Pair& pair : pairs) {
      if (block < pair.logs.size()) pair.logs[block] -= shared.back();
    }
  }
  return quantile(shared, 0.5);
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
      if (cases.empty() || cases.back().name != name) cases.push_back({name, {}});
      const double seconds = row.at("real_time").get<double>() * 1e-3;
      if (!(seconds > 0.0)) throw DataError(file.string(), 0, "a time that is not positive");
      cases.back().seconds.push_back(seconds);
    }
  } catch (const nlohmann::json::exception& error) {
    throw DataError(file.string(), 0, fmt::format("no results of tern-bench: {}", error.what()));
  }
  return cases;
}

double sign_flip_p(const std::vector<double>& values) {
  if (values.empty()) return 1.0;
  // Rounding must not part equal sums.
  const double found = std::abs(std::accumulate(values.begin(), values.end(), 0.0)) * (1 - 1e-12);
  const bool exact = values.size() <= kExactBlocks;
  const std::size_t choices = std::size_t{1} << std::min(values.size(), kExactBlocks);
  std::mt19937_64 random(1);
  std::size_t as_far = 0;
  for (std::size_t choice = 0; choice < choices; ++choice) {
    std::uint64_t signs = exact ? choice : 0;
    double sum = 0.0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (!exact && i % 64 == 0) signs = random();
      sum += (signs >> (i % 64) & 1) != 0 ? values[i] : -values[i];
    }
    as_far += std::abs(sum) >= found ? 1 : 0;
  }
  return static_cast<double>(as_far + (exact ? 0 : 1)) /
         static_cast<double>(choices + (exact ? 0 : 1));
}

Comparison compare_blocks(const std::vector<CaseBlocks>& before,
                          const std::vector<CaseBlocks>& after) {
  std::vector<Pair> pairs = pairs_of(before, after);
  Comparison comparison;
  comparison.shared = take_shared(pairs);
  for (const Pair& pair : pairs) {
    comparison.cases.push_back(
        {.name = pair.before->name,
         .before = quantile(pair.before->seconds, 0.5),
         .after = quantile(pair.after->seconds, 0.5),
         .effect = quantile(pair.logs, 0.5),
         .noise = std::max(noise_of(pair.before->seconds), noise_of(pair.after->seconds)),
         .p = sign_flip_p(pair.logs)});
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
             "change%: median over pairs of blocks; +-%: interquartile range of the noisier run; "
             "p: exact\n"
             "test of signs, Holm's correction for all cases (bench/README.md)\n",
             changed, comparison.cases.size(), 100.0 * std::expm1(comparison.shared));
  return changed;
}

}  // namespace tern::bench
