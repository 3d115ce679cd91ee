#include "bench/support/run_cases.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <iterator>
#include <numeric>
#include <random>
#include <regex>
#include <utility>

#include "tern/error.hpp"

namespace tern::bench {
namespace {

Timer& timer_of(const PreparedCase& ready, const Workload& workload) {
  return ready.timer != nullptr ? *ready.timer : workload.device().backend_timer();
}

/// Runs the case once from poisoned outputs, as it is timed, and compares the result with the
/// reference. Throws Error.
void verify_a_run(const PreparedCase& ready, const Workload& workload) {
  if (!ready.reset) throw Error("the case has no reset: nothing poisons its outputs");
  ready.reset();
  timer_of(ready, workload).seconds(ready.run);
  ready.verify();
}

double median_of(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

/// A case in memory, with its results so far.
class RunningCase {
 public:
  RunningCase(const Case& one, Workload& workload, const std::vector<CacheState>& states)
      : workload_(workload) {
    for (const CacheState caches : states) {
      results_.push_back(result_of(one, workload.width(), workload.batch_size(), caches));
    }
    guarded("", [&] {
      ready_.emplace(one.prepare(workload));
      for (Result& result : results_) {
        result.cost = ready_->cost;
        result.table = ready_->table;
      }
      verify_a_run(*ready_, workload);
    });
  }

  /// One block of one state: runs until its time is used up, eviction or warming included.
  void time(std::size_t state, const RunOptions& options) {
    if (!ready_) return;
    Result& result = results_[state];
    using Clock = std::chrono::steady_clock;
    const std::chrono::duration<double> limit(options.seconds / options.blocks);
    std::vector<double> seconds;
    guarded("", [&] {
      const auto begin = Clock::now();
      do {
        seconds.push_back(timed_run(result.caches));
      } while (Clock::now() - begin < limit);
      result.runs += std::ssize(seconds);
      result.blocks.push_back(median_of(seconds));
      result.processes.push_back(options.process);
    });
  }

  /// Verifies the case again, and frees it.
  std::vector<Result> finish() {
    if (ready_) {
      guarded("right before the timed runs, wrong after them: ",
              [&] { verify_a_run(*ready_, workload_); });
    }
    ready_.reset();
    return std::move(results_);
  }

 private:
  /// Seconds of one run. The eviction of caches, or a warming run, is launched right before it: a GPU
  /// is then still busy when the host launches the timed run, so that no host time is counted.
  double timed_run(CacheState caches) {
    Timer& timer = timer_of(*ready_, workload_);
    if (caches == CacheState::kEvicted) {
      timer.evict();
    } else {
      ready_->run();
    }
    return timer.seconds(ready_->run);
  }

  /// Refuses the case if the work throws.
  template <typename Work>
  void guarded(const char* when, const Work& work) {
    try {
      work();
    } catch (const std::exception& error) {
      for (Result& result : results_) {
        result.problem = fmt::format("{}{}", when, error.what());
        result.blocks.clear();
        result.processes.clear();
      }
      ready_.reset();
    }
  }

  Workload& workload_;
  std::vector<Result> results_;  // by state of the caches
  std::optional<PreparedCase> ready_;
};

/// As many of the cases as fit in half of the free memory, at least one.
std::vector<RunningCase> prepare_some(std::span<const Case> cases, Workload& workload,
                                      const std::vector<CacheState>& states) {
  const std::int64_t enough = workload.backend().memory().free / 2;
  std::vector<RunningCase> running;
  for (const Case& one : cases) {
    if (!running.empty() && workload.backend().memory().free < enough) break;
    running.emplace_back(one, workload, states);
  }
  return running;
}

}  // namespace

RunOptions options_of_process(const RunOptions& run, int process, int processes) {
  RunOptions own = run;
  own.blocks = run.blocks / processes + (process < run.blocks % processes ? 1 : 0);
  own.seconds = run.seconds * own.blocks / run.blocks;
  own.seed = run.seed + static_cast<std::uint64_t>(process);
  own.process = process;
  return own;
}

Result result_of(const Case& one, std::int64_t width, std::int64_t batch_size, CacheState caches) {
  Result result;
  result.op = one.op;
  result.variant = one.variant;
  result.strategy = one.strategy;
  result.bound = one.bound;
  result.width = width;
  result.axes = one.axes;
  result.batch = one.axes.batch == Axes::Batch::kRead ? batch_size : 0;
  result.caches = caches;
  return result;
}

void append_process(Result& result, Result other) {
  if (other.problem.empty()) {
    result.cost = other.cost;
    result.table = other.table;
  }
  result.runs += other.runs;
  result.blocks.insert(result.blocks.end(), other.blocks.begin(), other.blocks.end());
  result.processes.insert(result.processes.end(), other.processes.begin(), other.processes.end());
  if (result.problem.empty()) result.problem = std::move(other.problem);
  if (result.problem.empty()) return;
  result.blocks.clear();
  result.processes.clear();
}

std::string Result::label() const {
  std::string text = variant;
  if (axes.layers > 0) text += fmt::format(" L {}", axes.layers);
  if (axes.precision != "f32") text += " " + axes.precision;
  return text;
}

double Result::median() const {
  std::vector<double> values = blocks;
  return values.empty() ? 0.0 : median_of(values);
}

double Result::spread() const {
  if (blocks.size() < 2) return 0.0;
  std::vector<double> sorted = blocks;
  std::ranges::sort(sorted);
  return (sorted[sorted.size() * 3 / 4] - sorted[sorted.size() / 4]) / median();
}

Cases select_cases(const Cases& cases, const std::string& filter) {
  std::regex expression;
  try {
    expression = std::regex(filter, std::regex::extended);
  } catch (const std::regex_error& error) {
    throw ConfigError(fmt::format("\"{}\" is not a regular expression: {}", filter, error.what()));
  }
  Cases selected;
  for (const Case& one : cases) {
    if (!std::regex_search(one.name(), expression)) continue;
    // Insert it after the last case of the same variant of the op, if any, else at the end.
    auto place = selected.end();
    for (auto other = selected.begin(); other != selected.end(); ++other) {
      if (other->op == one.op && other->variant == one.variant) place = other + 1;
    }
    selected.insert(place, one);
  }
  if (selected.empty()) {
    throw ConfigError(fmt::format("no case matches \"{}\"; --list names them all", filter));
  }
  return selected;
}

std::vector<Result> run_cases(const Cases& cases, Workload& workload, const RunOptions& options) {
  std::mt19937_64 random(options.seed);
  std::vector<Result> results;
  const std::size_t states = options.caches.size();
  while (results.size() < cases.size() * states) {
    std::vector<RunningCase> running =
        prepare_some(std::span(cases).subspan(results.size() / states), workload, options.caches);
    std::vector<std::size_t> order(running.size() * states);
    std::iota(order.begin(), order.end(), 0);
    for (int block = 0; block < options.blocks; ++block) {
      std::ranges::shuffle(order, random);
      for (const std::size_t one : order) running[one / states].time(one % states, options);
    }
    for (RunningCase& one : running) std::ranges::move(one.finish(), std::back_inserter(results));
  }
  return results;
}

void set_limits(std::vector<Result>& results, const CeilingsByState& ceilings) {
  for (Result& result : results) {
    result.limit = limit_of(result.bound, result.cost, result.table, ceilings.at(result.caches),
                            result.axes.precision);
  }
}

}  // namespace tern::bench
