#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/support/case.hpp"
#include "bench/support/run_cases.hpp"

namespace tern::bench {

/// What `tern-bench ops` measures, and where the results go.
struct Arguments {
  std::string device = "cpu";
  std::string data;
  std::string shape = "gowalla";
  std::vector<std::int64_t> widths{64};
  std::vector<std::int64_t> batches{Workload::kBatchSize};
  AxisLists lists;
  std::vector<std::string> caches{"evicted"};
  int threads = 0;
  int processes = 0;  // 0: kProcesses or kProcessesOfMany (measure.hpp)
  std::string filter = ".";
  bool list = false;
  std::string format = "table";  // of standard output: table, csv, markdown or json
  std::string json;
  std::string svg;
  std::string baseline;
  bool estimate = false;  // only state what the run needs
  bool force = false;     // run even if the estimate exceeds the free memory
  RunOptions run;
  std::vector<std::string> words;  // of the command line, for the processes that it starts
  std::vector<int> share;          // table and process, in a process that another one started
};

DeviceKind kind_of(const std::string& device);

/// Measures, prints and writes. all_cases: the table of contents. The cases run in several processes, one after the
/// other, each with its own placement of memory and its own checks; with 1, in this one. Returns the exit code: 1 if a
/// case was refused. Throws MemoryError before anything is allocated if a case does not fit, Error if
/// something else fails.
int run_ops(Arguments arguments, Cases (*all_cases)(DeviceKind, const AxisLists&));

}  // namespace tern::bench
