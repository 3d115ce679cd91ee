#include "bench/run_ops.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <memory>
#include <utility>

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

/// The lines above a table.
std::string title_of(const Arguments& arguments, const Workload& workload,
                     const CeilingsByState& ceilings) {
  const DeviceDescription device = workload.backend().describe();
  std::string title = fmt::format(
      "device    {} ({}, {})\n"
      "machine   load {}, {} threads\n"
      "graph     {}: {} users, {} items, {} interactions; D = {}, B = {}\n",
      device.name, device.precision, device.details, machine_load(), workload.threads(),
      name_of_data(arguments), workload.nodes(Side::kUser), workload.nodes(Side::kItem),
      workload.graph().size(), workload.width(), workload.batch_size());
  for (const auto& [caches, measured] : ceilings) title += ceiling_lines(measured, caches);
  return title +
         "          best +- spread in %, measured before and after the cases at the sizes of the "
         "tables\n"
         "runs      every result checked before and after it is timed\n";
}

Context context_of(const Arguments& arguments, const Workload& workload) {
  const DeviceDescription device = workload.backend().describe();
  return {{"tern_device", device.name},
          {"tern_device_details", device.details},
          {"tern_backend", workload.backend().name()},
          {"tern_threads", std::to_string(workload.threads())},
          {"tern_data", name_of_data(arguments)},
          {"tern_users", std::to_string(workload.nodes(Side::kUser))},
          {"tern_items", std::to_string(workload.nodes(Side::kItem))},
          {"tern_interactions", std::to_string(workload.graph().size())},
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

/// All cases at one width and batch size.
void run_once(const Arguments& arguments, const Cases& cases, Workload& workload,
              Measured& measured) {
  CeilingsByState ceilings;
  if (std::ranges::count(arguments.lists.precisions, "bf16") > 0) {
    for (const CacheState caches : arguments.run.caches) {
      ceilings[caches].gathers = Ceilings::Gathers::kAlsoBf16;
    }
  }
  const auto measure_ceilings = [&] {
    for (const CacheState caches : arguments.run.caches) {
      workload.device().measure_ceilings(workload, caches, ceilings[caches]);
    }
  };
  measure_ceilings();
  std::vector<Result> results = run_cases(cases, workload, arguments.run);
  measure_ceilings();
  set_limits(results, ceilings);
  if (measured.results.empty()) append(measured.context, context_of(arguments, workload));
  std::string suffix;
  if (arguments.widths.size() > 1) suffix += fmt::format("_D{}", workload.width());
  if (arguments.batches.size() > 1) suffix += fmt::format("_B{}", workload.batch_size());
  for (const auto& [caches, limits] : ceilings) {
    append(
        measured.context,
        ceiling_context(
            limits, ceilings.size() > 1 ? fmt::format("{}_{}", suffix, name_of(caches)) : suffix));
  }
  print_results(arguments, title_of(arguments, workload, ceilings), results);
  std::ranges::move(results, std::back_inserter(measured.results));
  measured.ceilings.push_back(std::move(ceilings));
}

/// The cases that the batch size of a workload changes; for the first size, all.
Cases cases_for(const Cases& cases, bool first_batch_size) {
  Cases some;
  std::ranges::copy_if(cases, std::back_inserter(some), [&](const Case& one) {
    return first_batch_size || one.axes.batch == Axes::Batch::kRead;
  });
  return some;
}

/// Calls run(cases, width, batch size) for each table of results.
template <typename Run>
void for_each_table(const Arguments& arguments, const Cases& cases, const Run& run) {
  for (const std::int64_t width : arguments.widths) {
    for (const std::int64_t batch : arguments.batches) {
      const Cases some = cases_for(cases, batch == arguments.batches.front());
      if (!some.empty()) run(some, width, batch);
    }
  }
}

/// Prints what the run needs. Throws MemoryError if the largest case does not fit.
void print_estimate(const Arguments& arguments, const Cases& cases, const Interactions& data,
                    Backend& backend, int threads) {
  RunPlan plan{.device = kind_of(backend.name()),
               .states = static_cast<int>(arguments.caches.size()),
               .seconds = arguments.run.seconds,
               .blocks = arguments.run.blocks,
               .free = static_cast<double>(backend.memory().free)};
  double seconds = 0.0;
  double bytes = 0.0;
  std::string problem;
  for_each_table(arguments, cases, [&](const Cases& some, std::int64_t width, std::int64_t batch) {
    const Estimate need = estimate(
        some, {data.num_users(), data.num_items(), data.size(), width, batch, threads}, plan);
    seconds += need.seconds;
    bytes = std::max(bytes, need.device);
    if (need.largest > plan.free && problem.empty()) {
      problem = fmt::format(
          "not enough memory: {} needs about {} at D = {}, B = {}, and {} are free; choose a "
          "smaller --width, --batch or --shape, leave it out by --filter, or try it with --force",
          need.largest_case, bytes_text(need.largest), width, batch, bytes_text(plan.free));
    }
  });
  fmt::print(arguments.estimate ? stdout : stderr,
             "estimate: about {} and {} of memory for {} cases; {} are free\n",
             duration_text(seconds), bytes_text(bytes), cases.size(), bytes_text(plan.free));
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

}  // namespace

DeviceKind kind_of(const std::string& device) {
  return device.starts_with("cuda") ? DeviceKind::kCuda : DeviceKind::kCpu;
}

int run_ops(const Arguments& arguments, Cases (*all_cases)(DeviceKind, const AxisLists&)) {
  const int threads = arguments.threads > 0 ? arguments.threads : default_thread_count().threads;
  // Check the options before spending time on the data.
  const std::unique_ptr<Backend> backend = make_backend(arguments.device, threads);
  const DeviceKind kind = kind_of(backend->name());
  const Cases cases = select_cases(all_cases(kind, arguments.lists), arguments.filter);
  // Read before --json may overwrite it.
  std::vector<CaseBlocks> baseline;
  if (!arguments.baseline.empty()) baseline = read_blocks(arguments.baseline);
  if (!arguments.json.empty()) expect_writable(arguments.json);
  if (!arguments.svg.empty()) expect_writable(arguments.svg);
  Measured measured;
  measured.context = machine_context();
  measured.context.emplace_back("tern_load_before", machine_load());
  const Interactions interactions = interactions_of(arguments);
  print_estimate(arguments, cases, interactions, *backend, threads);
  if (arguments.estimate) return 0;
  const std::unique_ptr<Device> device = kind == DeviceKind::kCuda
                                             ? load_cuda_plugin().make_device(*backend)
                                             : make_cpu_device(threads);
  if (arguments.format == "csv") fmt::print("{}", csv_header());
  for_each_table(arguments, cases, [&](const Cases& some, std::int64_t width, std::int64_t batch) {
    Workload workload(*backend, *device, interactions, width, threads, batch);
    run_once(arguments, some, workload, measured);
  });
  measured.context.emplace_back("tern_load_after", machine_load());
  return report(arguments, measured, baseline);
}

}  // namespace tern::bench
