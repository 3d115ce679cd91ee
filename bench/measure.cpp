#include "bench/measure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "bench/support/child.hpp"

namespace tern::bench {
namespace {

/// The cases that the batch size of a workload changes; for the first size, all.
Cases cases_for(const Cases& cases, bool first_batch_size) {
  Cases some;
  std::ranges::copy_if(cases, std::back_inserter(some), [&](const Case& one) {
    return first_batch_size || one.axes.batch == Axes::Batch::kRead;
  });
  return some;
}

}  // namespace

std::vector<TablePlan> plan_tables(const Arguments& arguments, const Cases& cases) {
  std::vector<TablePlan> tables;
  for (const std::int64_t width : arguments.widths) {
    for (const std::int64_t batch : arguments.batches) {
      Cases some = cases_for(cases, batch == arguments.batches.front());
      if (!some.empty()) tables.push_back({std::move(some), width, batch});
    }
  }
  return tables;
}

int default_processes(std::size_t cases) {
  return cases > kManyCases ? kProcessesOfMany : kProcesses;
}

int processes_of(const Arguments& arguments) {
  return std::min(arguments.processes, arguments.run.blocks);
}

MeasuredTable measure_share(const Arguments& arguments, const TablePlan& plan, Workload& workload,
                            int process) {
  MeasuredTable table;
  for (const CacheState caches : arguments.run.caches) {
    Ceilings& ceilings = table.ceilings[caches];
    if (std::ranges::count(arguments.lists.precisions, "bf16") > 0) {
      ceilings.gathers = Ceilings::Gathers::kAlsoBf16;
    }
  }
  const auto measure_ceilings = [&] {
    for (const CacheState caches : arguments.run.caches) {
      workload.device().measure_ceilings(workload, caches, table.ceilings[caches]);
    }
  };
  const int processes = processes_of(arguments);
  if (process == 0) measure_ceilings();
  table.results =
      run_cases(plan.cases, workload, options_of_process(arguments.run, process, processes));
  if (process == processes - 1) measure_ceilings();
  return table;
}

MeasuredTable measure_in_processes(const Arguments& arguments, const TablePlan& plan,
                                   std::size_t table) {
  MeasuredTable measured = unmeasured(plan.cases, plan.width, plan.batch, arguments.run.caches);
  for (int process = 0; process < processes_of(arguments); ++process) {
    std::vector<std::string> words = arguments.words;
    words.push_back(fmt::format("--share={},{}", table, process));
    append_share(measured, run_again(words));
  }
  return measured;
}

}  // namespace tern::bench
