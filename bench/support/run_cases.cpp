#include "bench/support/run_cases.hpp"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <fstream>
#include <optional>
#include <regex>
#include <vector>

#include "bench/support/table.hpp"
#include "tern/error.hpp"

namespace tern::bench {
namespace {

struct Limit {
  const char* name;
  double rate;  // bytes/s or flop/s; 0: none
};

Limit limit_of(Bound bound, const Ceilings& ceilings) {
  switch (bound) {
    case Bound::kCopy:
      return {"copy", ceilings.copy};
    case Bound::kGather:
      return {"gather", ceilings.gather};
    case Bound::kProduct:
      return {"product", ceilings.product};
    case Bound::kNone:
      break;
  }
  return {"", 0.0};
}

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

/// The current case, prepared and verified once however often get() is called.
class CurrentCase {
 public:
  /// If the case was refused, throws the same Error each time.
  PreparedCase& get(const Case& wanted, Workload& workload) {
    if (case_ != &wanted) {
      ready_.reset();
      problem_.clear();
      case_ = &wanted;
      try {
        ready_.emplace(wanted.prepare(workload));
        verify_a_run(*ready_, workload);
      } catch (const std::exception& error) {
        problem_ = error.what();
        ready_.reset();
      }
    }
    if (!ready_) throw Error(problem_);
    return *ready_;
  }

  /// Verifies the timed case again. If it is wrong now, throws the same Error each time.
  void verify_again(Workload& workload) {
    try {
      verify_a_run(*ready_, workload);
    } catch (const std::exception& error) {
      problem_ = fmt::format("right before the timed runs, wrong after them: {}", error.what());
      ready_.reset();
      throw Error(problem_);
    }
  }

 private:
  const Case* case_ = nullptr;
  std::optional<PreparedCase> ready_;
  std::string problem_;
};

struct Session {
  Workload& workload;
  const Ceilings& ceilings;
  const RunOptions& options;
  CurrentCase current{};
};

/// Seconds of one run. The eviction of caches, or a warming run, is launched right before it: a GPU
/// is then still busy when the host launches the timed run, so that no host time is counted.
double timed_run(const PreparedCase& ready, Session& session) {
  Timer& timer = timer_of(ready, session.workload);
  if (session.options.caches == CacheState::kEvicted) {
    timer.evict();
  } else {
    ready.run();
  }
  return timer.seconds(ready.run);
}

/// Repeats timed_run() until the time of one repetition is used up, and returns the median. The
/// time includes the eviction of caches or the warming runs.
double median_run(const PreparedCase& ready, Session& session) {
  using Clock = std::chrono::steady_clock;
  const std::chrono::duration<double> limit(session.options.seconds / kRepetitions);
  std::vector<double> seconds;
  const auto begin = Clock::now();
  do {
    seconds.push_back(timed_run(ready, session));
  } while (Clock::now() - begin < limit);
  const auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
  std::ranges::nth_element(seconds, middle);
  return *middle;
}

void run_case(benchmark::State& state, const Case& timed, Session& session) {
  double seconds = 0.0;
  const PreparedCase* ready = nullptr;
  try {
    ready = &session.current.get(timed, session.workload);
    for (auto _ : state) {
      seconds = median_run(*ready, session);
      state.SetIterationTime(seconds);
    }
    session.current.verify_again(session.workload);
  } catch (const std::exception& error) {
    state.SkipWithError(error.what());
    return;
  }
  const Limit limit = limit_of(timed.bound, session.ceilings);
  const double amount = timed.bound == Bound::kProduct ? ready->cost.flops : ready->cost.bytes;
  state.counters["bytes"] = ready->cost.bytes;
  state.counters["flops"] = ready->cost.flops;
  state.counters["GB_per_s"] = ready->cost.bytes / seconds * 1e-9;
  state.counters["GFLOP_per_s"] = ready->cost.flops / seconds * 1e-9;
  if (limit.rate > 0.0) {
    state.counters[std::string("share_of_") + limit.name] = amount / seconds / limit.rate;
  }
}

/// Arguments for Google Benchmark, which takes options only as a command line. It keeps a pointer
/// to the first argument, so the result must outlive the benchmarks.
std::vector<std::string> arguments_for(const RunOptions& options) {
  std::vector<std::string> arguments{"tern-bench"};
  if (!options.json.empty()) {
    expect_writable(options.json);
    arguments.push_back("--benchmark_out=" + options.json.string());
    arguments.push_back("--benchmark_out_format=json");
  }
  return arguments;
}

void initialize(std::vector<std::string>& arguments, const RunOptions& options,
                const Ceilings& ceilings) {
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  int count = static_cast<int>(pointers.size());
  benchmark::Initialize(&count, pointers.data());
  if (options.json.empty()) return;
  for (const auto& [name, value] : options.context) benchmark::AddCustomContext(name, value);
  const auto add = [](const char* name, double value) {
    benchmark::AddCustomContext(name, fmt::format("{:.2f}", value * 1e-9));
  };
  add("ceiling_copy_GB_per_s", ceilings.copy);
  add("ceiling_gather_GB_per_s", ceilings.gather);
  add("ceiling_product_GFLOP_per_s", ceilings.product);
}

}  // namespace

void expect_writable(const std::filesystem::path& file) {
  if (!std::ofstream(file, std::ios::app)) {
    throw Error(fmt::format("cannot write {}", file.string()));
  }
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

Summary run_cases(const Cases& cases, Workload& workload, const Ceilings& ceilings,
                  const RunOptions& options) {
  std::vector<std::string> arguments = arguments_for(options);
  initialize(arguments, options, ceilings);
  Session session{workload, ceilings, options};
  for (const Case& timed : cases) {
    benchmark::RegisterBenchmark(
        timed.name().c_str(),
        [&timed, &session](benchmark::State& state) { run_case(state, timed, session); })
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond)
        ->Iterations(1)
        ->Repetitions(kRepetitions);
  }
  TableReporter table(options.table, options.title);
  benchmark::RunSpecifiedBenchmarks(&table);
  benchmark::ClearRegisteredBenchmarks();
  return table.summary();
}

}  // namespace tern::bench
