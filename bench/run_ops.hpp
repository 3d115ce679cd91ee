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
  std::string filter = ".";
  bool list = false;
  std::string format = "table";  // of standard output: table, csv, markdown or json
  std::string json;
  std::string svg;
  std::string baseline;
  bool estimate = false;  // only state what the run needs
  bool force = false;     // run even if the estimate exceeds the free memory
  RunOptions run;
};

DeviceKind kind_of(const std::string& device);

/// Measures, prints and writes. all_cases: the table of contents. Returns the exit code: 1 if a case was
/// refused. Throws MemoryError before anything is allocated if a case does not fit, Error if
/// something else fails.
int run_ops(const Arguments& arguments, Cases (*all_cases)(DeviceKind, const AxisLists&));

}  // namespace tern::bench
