#pragma once

#include <vector>

#include "bench/run_ops.hpp"
#include "bench/support/shares.hpp"

namespace tern::bench {

/// One table of a run: its cases, width and batch size.
struct TablePlan {
  Cases cases;
  std::int64_t width = 0;
  std::int64_t batch = 0;
};

/// The tables of a run, in their order. The first batch size has all cases, the others those that read a batch.
std::vector<TablePlan> plan_tables(const Arguments& arguments, const Cases& cases);

/// Processes of a run that is not given a number. Each makes and verifies all cases, which for a whole run takes about as
/// long as all of its timed blocks. Six find a difference of 10%, three one of 25% (compare_results.hpp).
inline constexpr int kProcesses = 6;
inline constexpr int kProcessesOfMany = 3;
inline constexpr std::size_t kManyCases = 20;  // more than these
int default_processes(std::size_t cases);

/// The processes that a run has: no more than blocks.
int processes_of(const Arguments& arguments);

/// Measures what one process of the run measures of a table. The first one measures the ceilings before the
/// cases, the last one after them.
MeasuredTable measure_share(const Arguments& arguments, const TablePlan& plan, Workload& workload,
                            int process);

/// Measures a table, whose place among the tables is given, in processes that this one starts, one after the other.
MeasuredTable measure_in_processes(const Arguments& arguments, const TablePlan& plan,
                                   std::size_t table);

}  // namespace tern::bench
