#include "bench/run_ops.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

#include "bench/measure.hpp"
#include "bench/support/compare_results.hpp"
#include "bench/support/estimate.hpp"
#include "bench/support/machine.hpp"
#include "bench/support/plugin.hpp"
#include "bench/support/report.hpp"
#include "bench/support/roofline.hpp"
#include "bench/support/rows.hpp"
#include "host/support/processors.hpp"
#include "tern/dataset.hpp"
#include "tern/device.hpp"
#include "tern/error.hpp"

namespace tern::bench {
namespace {

std::string name_of_data(const Arguments& arguments) {
  return arguments.data.empty() ? "shape " + arguments.shape : arguments.data;
}

/// "12.3 +- 4": billions a second, and the spread in percent.
std::string rate(const Ceiling& ceiling) {
  return fmt::format("{:.1f} +- {:.0f}", ceiling.best() * 1e-9, 100.0 * ceiling.spread());
}

std::string ceiling_lines(const Ceilings& ceilings, CacheState caches) {
  std::string lines = fmt::format("ceilings  caches {}: product {} GFLOP/s\n", name_of(caches),
                                  rate(ceilings.product));
  for (const auto& [name, at] :
       {std::pair("users", Place::kUsers), std::pair("items", Place::kItems),
        std::pair("batch", Place::kBatch)}) {
    const MemoryCeilings& memory = ceilings.at(at);
    lines += fmt::format("          {}: read {}, copy {}, update {}, triad {}, gather {} GB/s\n",
                         name, rate(memory.read), rate(memory.copy), rate(memory.update),
                         rate(memory.triad), rate(memory.gather));
  }
  return lines;
}

/// What a run is made on.
struct Subject {
  DeviceDescription device;
  std::string backend;
  int threads = 0;
  std::int64_t users = 0;
  std::int64_t items = 0;
  std::int64_t interactions = 0;
};

/// The lines above a table.
std::string title_of(const Arguments& arguments, const Subject& subject, const TablePlan& plan,
                     const CeilingsByState& ceilings) {
  std::string title = fmt::format(
      "device    {} ({}, {})\n"
      "machine   load {}, {} threads\n"
      "graph     {}: {} users, {} items, {} interactions; D = {}, B = {}\n",
      subject.device.name, subject.device.precision, subject.device.details, machine_load(),
      subject.threads, name_of_data(arguments), subject.users, subject.items, subject.interactions,
      plan.width, plan.batch);
  for (const auto& [caches, measured] : ceilings) title += ceiling_lines(measured, caches);
  return title + fmt::format(
                     "          best +- spread in %, measured before and after the cases at the "
                     "sizes of the tables\n"
                     "runs      in {} processes; in each, every result checked before and after it "
                     "is timed\n",
                     processes_of(arguments));
}

Context context_of(const Arguments& arguments, const Subject& subject) {
  return {{"tern_device", subject.device.name},
          {"tern_device_details", subject.device.details},
          {"tern_backend", subject.backend},
          {"tern_threads", std::to_string(subject.threads)},
          {"tern_processes", std::to_string(processes_of(arguments))},
          {"tern_data", name_of_data(arguments)},
          {"tern_users", std::to_string(subject.users)},
          {"tern_items", std::to_string(subject.items)},
          {"tern_interactions", std::to_string(subject.interactions)},
          {"tern_width", fmt::format("{}", fmt::join(arguments.widths, ","))},
          {"tern_batch", fmt::format("{}", fmt::join(arguments.batches, ","))},
          {"tern_caches", fmt::format("{}", fmt::join(arguments.caches, ","))}};
}

Interactions interactions_of(const Arguments& arguments) {
  return arguments.data.empty() ? generate_shape(arguments.shape)
                                : load_dataset(arguments.data).train;
}

/// Everything that one call of the program measures.
struct Measured {
  Context context;
  std::vector<Result> results;
  std::vector<CeilingsByState> ceilings;  // of each width and batch size
};

void append(Context& context, const Context& more) {
  context.insert(context.end(), more.begin(), more.end());
}

/// Prints the results of one width and batch size as soon as they are measured, except as JSON, which report() prints.
void print_results(const Arguments& arguments, const std::string& title,
                   const std::vector<Result>& results) {
  if (arguments.format == "table") {
    print_table(stdout, title, results);
  } else if (arguments.format == "csv") {
    fmt::print("{}", csv_lines(results));
  } else if (arguments.format == "markdown") {
    fmt::print("```\n{}```\n\n{}\n", title, markdown_table(results));
  }
  std::fflush(stdout);
}

/// Holds a table against its ceilings, prints it, and keeps it for the report.
void finish_table(const Arguments& arguments, const Subject& subject, const TablePlan& plan,
                  MeasuredTable table, Measured& measured) {
  set_limits(table.results, table.ceilings);
  std::string suffix;
  if (arguments.widths.size() > 1) suffix += fmt::format("_D{}", plan.width);
  if (arguments.batches.size() > 1) suffix += fmt::format("_B{}", plan.batch);
  for (const auto& [caches, limits] : table.ceilings) {
    append(measured.context,
           ceiling_context(limits, table.ceilings.size() > 1
                                       ? fmt::format("{}_{}", suffix, name_of(caches))
                                       : suffix));
  }
  print_results(arguments, title_of(arguments, subject, plan, table.ceilings), table.results);
  std::ranges::move(table.results, std::back_inserter(measured.results));
  measured.ceilings.push_back(std::move(table.ceilings));
}

/// Prints what the run needs. Throws MemoryError if the largest case does not fit.
void print_estimate(const Arguments& arguments, const std::vector<TablePlan>& tables,
                    const Subject& subject, double free) {
  const RunPlan plan{.device = kind_of(subject.backend),
                     .states = static_cast<int>(arguments.caches.size()),
                     .seconds = arguments.run.seconds,
                     .blocks = arguments.run.blocks,
                     .processes = processes_of(arguments),
                     .free = free};
  double seconds = 0.0;
  double bytes = 0.0;
  std::string problem;
  for (const TablePlan& table : tables) {
    const Estimate need = estimate(table.cases,
                                   {subject.users, subject.items, subject.interactions, table.width,
                                    table.batch, subject.threads},
                                   plan);
    seconds += need.seconds;
    bytes = std::max(bytes, need.device);
    if (need.largest > plan.free && problem.empty()) {
      problem = fmt::format(
          "not enough memory: {} needs about {} at D = {}, B = {}, and {} are free; choose a "
          "smaller --width, --batch or --shape, leave it out by --filter, or try it with --force",
          need.largest_case, bytes_text(need.largest), table.width, table.batch,
          bytes_text(plan.free));
    }
  }
  // The first table has all cases.
  fmt::print(arguments.estimate ? stdout : stderr,
             "estimate: about {} and {} of memory for {} cases; {} are free\n",
             duration_text(seconds), bytes_text(bytes), tables.front().cases.size(),
             bytes_text(plan.free));
  if (!problem.empty() && !arguments.force) throw MemoryError(problem);
}

/// The exit code: 1 if a case was refused.
int report(const Arguments& arguments, const Measured& measured,
           const std::vector<CaseBlocks>& baseline) {
  if (arguments.format == "json" || !arguments.json.empty()) {
    const std::string text = json_text(measured.context, measured.results);
    if (!arguments.json.empty()) write_file(arguments.json, text);
    if (arguments.format == "json") fmt::print("{}", text);
  }
  if (!arguments.svg.empty()) {
    const auto entry = [&](const char* name) {
      const auto at = std::ranges::find(measured.context, name, &Context::value_type::first);
      return at == measured.context.end() ? "" : at->second;
    };
    write_file(arguments.svg,
               roofline_svg(fmt::format("tern-bench: {}, {}; {}, D = {}", entry("tern_processor"),
                                        entry("tern_device_details"), entry("tern_data"),
                                        entry("tern_width")),
                            measured.results, measured.ceilings));
  }
  if (!arguments.baseline.empty()) {
    print_comparison(arguments.format == "table" ? stdout : stderr,
                     compare_blocks(baseline, blocks_of(measured.results)));
  }
  const Summary summary = summary_of(measured.results);
  if (summary.implausible > 0) {
    fmt::print(stderr, "tern-bench: {} of {} rows are faster than a measured ceiling allows\n",
               summary.implausible, measured.results.size());
  }
  if (summary.refused == 0) return 0;
  fmt::print(stderr, "tern-bench: {} of {} cases gave wrong results and were not timed\n",
             summary.refused, measured.results.size());
  return 1;
}

/// The backend and the data of a process that measures.
class Bench {
 public:
  Bench(const Arguments& arguments, std::unique_ptr<Backend> backend, Interactions data,
        int threads)
      : arguments_(arguments),
        backend_(std::move(backend)),
        device_(kind_of(backend_->name()) == DeviceKind::kCuda
                    ? load_cuda_plugin().make_device(*backend_)
                    : make_cpu_device(threads)),
        data_(std::move(data)),
        threads_(threads) {}

  MeasuredTable measure(const TablePlan& plan, int process) {
    Workload workload(*backend_, *device_, data_, plan.width, threads_, plan.batch);
    return measure_share(arguments_, plan, workload, process);
  }

 private:
  const Arguments& arguments_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Device> device_;
  Interactions data_;
  int threads_;
};

}  // namespace

DeviceKind kind_of(const std::string& device) {
  return device.starts_with("cuda") ? DeviceKind::kCuda : DeviceKind::kCpu;
}

int run_ops(Arguments arguments, Cases (*all_cases)(DeviceKind, const AxisLists&)) {
  const int threads = arguments.threads > 0 ? arguments.threads : default_thread_count().threads;
  // Check the options before spending time on the data.
  std::unique_ptr<Backend> backend = make_backend(arguments.device, threads);
  const Cases cases =
      select_cases(all_cases(kind_of(backend->name()), arguments.lists), arguments.filter);
  if (arguments.processes == 0) arguments.processes = default_processes(cases.size());
  const std::vector<TablePlan> tables = plan_tables(arguments, cases);
  if (!arguments.share.empty()) {
    const auto table = static_cast<std::size_t>(arguments.share[0]);
    if (table >= tables.size()) {
      throw ConfigError(fmt::format("--share: this run has no table {}", arguments.share[0]));
    }
    const TablePlan& plan = tables[table];
    Bench bench(arguments, std::move(backend), interactions_of(arguments), threads);
    fmt::print("{}", share_text(bench.measure(plan, arguments.share[1])));
    return 0;
  }
  // Read before --json may overwrite it.
  std::vector<CaseBlocks> baseline;
  if (!arguments.baseline.empty()) baseline = read_blocks(arguments.baseline);
  if (!arguments.json.empty()) expect_writable(arguments.json);
  if (!arguments.svg.empty()) expect_writable(arguments.svg);
  Measured measured;
  measured.context = machine_context();
  measured.context.emplace_back("tern_load_before", machine_load());
  Interactions data = interactions_of(arguments);
  const Subject subject{backend->describe(), backend->name(),  threads,
                        data.num_users(),    data.num_items(), data.size()};
  print_estimate(arguments, tables, subject, static_cast<double>(backend->memory().free));
  if (arguments.estimate) return 0;
  append(measured.context, context_of(arguments, subject));
  if (arguments.format == "csv") fmt::print("{}", csv_header());
  std::optional<Bench> here;
  if (processes_of(arguments) == 1) {
    here.emplace(arguments, std::move(backend), std::move(data), threads);
  } else {
    // The processes have their own, and a GPU may serve only one process.
    backend.reset();
    data = Interactions();
  }
  for (std::size_t table = 0; table < tables.size(); ++table) {
    finish_table(arguments, subject, tables[table],
                 here ? here->measure(tables[table], 0)
                      : measure_in_processes(arguments, tables[table], table),
                 measured);
  }
  measured.context.emplace_back("tern_load_after", machine_load());
  return report(arguments, measured, baseline);
}

}  // namespace tern::bench
