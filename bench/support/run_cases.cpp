#include "bench/support/run_cases.hpp"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "tern/error.hpp"

namespace tern::bench {
namespace {

double ceiling_of(Bound bound, const Ceilings& ceilings) {
  switch (bound) {
    case Bound::kCopy:
      return ceilings.copy;
    case Bound::kGather:
      return ceilings.gather;
    case Bound::kProduct:
      return ceilings.product;
    case Bound::kNone:
      break;
  }
  return 0.0;
}

const char* bound_name(Bound bound) {
  switch (bound) {
    case Bound::kCopy:
      return "copy";
    case Bound::kGather:
      return "gather";
    case Bound::kProduct:
      return "product";
    case Bound::kNone:
      break;
  }
  return "";
}

/// The case whose turn it is: prepared and verified once, however often it is asked for.
class CurrentCase {
 public:
  PreparedCase& get(const Case& wanted, Workload& workload) {
    if (case_ != &wanted) {
      ready_.reset();
      case_ = nullptr;
      ready_.emplace(wanted.prepare(workload));
      ready_->verify();
      case_ = &wanted;
    }
    return *ready_;
  }

 private:
  const Case* case_ = nullptr;
  std::optional<PreparedCase> ready_;
};

struct Session {
  Workload& workload;
  const Ceilings& ceilings;
  const RunOptions& options;
  CacheFlusher flusher{};
  CurrentCase current{};
};

void run_case(benchmark::State& state, const Case& timed, Session& session) {
  PreparedCase* ready = nullptr;
  try {
    ready = &session.current.get(timed, session.workload);
  } catch (const std::exception& error) {
    state.SkipWithError(error.what());
    return;
  }
  double total = 0.0;
  for (auto _ : state) {
    if (session.options.caches == CacheState::kFlushed) session.flusher.flush();
    const double seconds = session.workload.backend().seconds(ready->run);
    state.SetIterationTime(seconds);
    total += seconds;
  }
  const double mean = total / static_cast<double>(state.iterations());
  const double ceiling = ceiling_of(timed.bound, session.ceilings);
  const double rate = timed.bound == Bound::kProduct ? ready->cost.flops : ready->cost.bytes;
  state.counters["bytes"] = ready->cost.bytes;
  state.counters["flops"] = ready->cost.flops;
  state.counters["GB_per_s"] = ready->cost.bytes / mean * 1e-9;
  state.counters["GFLOP_per_s"] = ready->cost.flops / mean * 1e-9;
  if (ceiling > 0.0)
    state.counters["share_of_" + std::string(bound_name(timed.bound))] = rate / mean / ceiling;
}

/// A table for people: one row a case, times beside the measure of the same op's "tern" row.
class TableReporter final : public benchmark::BenchmarkReporter {
 public:
  explicit TableReporter(std::string title) : title_(std::move(title)) {}

  bool ReportContext(const Context& /*context*/) override {
    fmt::print("{}\n{:<21}{:<22}{:<18}{:>9}{:>10}{:>9}{:>9}  {:<14}{:>7}\n", title_, "op",
               "variant", "strategy", "ms", "MB", "GB/s", "GFLOP/s", "of ceiling", "x tern");
    return true;
  }

  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.run_type != Run::RT_Iteration) continue;
      const std::string name = run.run_name.function_name;
      const auto first = name.find('/');
      const auto last = name.rfind('/');
      const std::string op = name.substr(0, first);
      const std::string variant = name.substr(first + 1, last - first - 1);
      const std::string strategy = name.substr(last + 1);
      if (run.error_occurred) {
        ++refused_;
        fmt::print("{:<21}{:<22}{:<18}REFUSED: {}\n", op, variant, strategy, run.error_message);
        continue;
      }
      print(run, op, variant, strategy);
    }
    std::fflush(stdout);
  }

  int refused() const { return refused_; }

 private:
  static double counter(const Run& run, const std::string& name) {
    const auto found = run.counters.find(name);
    return found == run.counters.end() ? 0.0 : found->second.value;
  }

  void print(const Run& run, const std::string& op, const std::string& variant,
             const std::string& strategy) {
    const double ms = run.GetAdjustedRealTime();
    std::string share;
    for (const char* bound : {"copy", "gather", "product"}) {
      const double part = counter(run, std::string("share_of_") + bound);
      if (part > 0.0) share = fmt::format("{:.0f}% {}", 100.0 * part, bound);
    }
    std::string ratio;
    if (strategy == "tern") {
      tern_ms_[op + "/" + variant] = ms;
    } else if (const auto own = tern_ms_.find(op + "/" + variant); own != tern_ms_.end()) {
      ratio = fmt::format("{:.2f}", ms / own->second);
    }
    fmt::print("{:<21}{:<22}{:<18}{:>9.3f}{:>10.1f}{:>9.1f}{:>9.1f}  {:<14}{:>7}\n", op, variant,
               strategy, ms, counter(run, "bytes") * 1e-6, counter(run, "GB_per_s"),
               counter(run, "GFLOP_per_s"), share, ratio);
  }

  std::string title_;
  std::map<std::string, double> tern_ms_;
  int refused_ = 0;
};

}  // namespace

int run_cases(const Cases& cases, Workload& workload, const Ceilings& ceilings,
              const RunOptions& options) {
  std::vector<std::string> arguments{"tern-bench", "--benchmark_filter=" + options.filter};
  if (!options.json.empty()) {
    arguments.push_back("--benchmark_out=" + options.json.string());
    arguments.push_back("--benchmark_out_format=json");
  }
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  int count = static_cast<int>(pointers.size());
  benchmark::Initialize(&count, pointers.data());
  benchmark::AddCustomContext("tern_workload", options.title);
  benchmark::AddCustomContext("ceiling_copy_GB_per_s", fmt::format("{:.2f}", ceilings.copy * 1e-9));
  benchmark::AddCustomContext("ceiling_gather_GB_per_s",
                              fmt::format("{:.2f}", ceilings.gather * 1e-9));
  benchmark::AddCustomContext("ceiling_product_GFLOP_per_s",
                              fmt::format("{:.2f}", ceilings.product * 1e-9));

  Session session{workload, ceilings, options};
  for (const Case& timed : cases) {
    benchmark::RegisterBenchmark(
        timed.name().c_str(),
        [&timed, &session](benchmark::State& state) { run_case(state, timed, session); })
        ->UseManualTime()
        ->MinTime(options.min_seconds)
        ->Unit(benchmark::kMillisecond);
  }
  TableReporter table(options.title);
  benchmark::RunSpecifiedBenchmarks(&table);
  benchmark::Shutdown();
  return table.refused();
}

}  // namespace tern::bench
