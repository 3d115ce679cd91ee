#pragma once

#include <benchmark/benchmark.h>

#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "bench/support/run_cases.hpp"

namespace tern::bench {

/// Prints a table for people: one row a case, of the median repetition.
class TableReporter final : public benchmark::BenchmarkReporter {
 public:
  TableReporter(std::FILE* out, std::string title) : out_(out), title_(std::move(title)) {}

  bool ReportContext(const Context& context) override;
  void ReportRuns(const std::vector<Run>& runs) override;
  void Finalize() override;

  const Summary& summary() const { return summary_; }

 private:
  void print_refused(const Run& run);
  void print_timed(const Run& median, double spread);

  std::FILE* out_;
  std::string title_;
  std::map<std::string, double> tern_ms_;  // by op/variant
  std::set<std::string> refused_;          // each repetition reports it anew
  Summary summary_;
};

}  // namespace tern::bench
