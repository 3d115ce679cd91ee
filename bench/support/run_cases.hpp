#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "bench/support/case.hpp"
#include "bench/support/limits.hpp"

namespace tern::bench {

struct RunOptions {
  double seconds = 0.5;  // the time for a case, over all its blocks
  int blocks = 12;       // repetitions of a case
  /// A case is timed in each of these states, in blocks of its own.
  std::vector<CacheState> caches{CacheState::kEvicted};
  std::uint64_t seed = 1;  // of the order of the cases in each block
  int process = 0;         // which process of the run this is
};

/// What one of `processes` processes runs: every process as many of the blocks, the first ones one more if they do
/// not divide, in orders of its own. A block takes as long as if one process ran them all.
RunOptions options_of_process(const RunOptions& run, int process, int processes);

/// A case after its run, with the caches in one state.
struct Result {
  std::string op;
  std::string variant;
  std::string strategy;
  Bound bound = Bound::kNone;
  std::int64_t width = 0;
  Axes axes;
  std::int64_t batch = 0;  // 0: it does not depend on the batch
  CacheState caches = CacheState::kEvicted;
  Cost cost;
  std::optional<Side> table;
  Limit limit;                 // as set_limits() leaves it
  std::vector<double> blocks;  // the median seconds of a run, block by block
  std::vector<int> processes;  // which process ran each block
  std::int64_t runs = 0;       // timed, in all blocks
  std::string problem;         // why it was refused; empty: it was timed

  std::string name() const { return op + "/" + variant + "/" + strategy; }
  /// The variant with what tells its rows apart in one table: "to_users bf16", "lightgcn L 3".
  std::string label() const;
  double median() const;
  /// The interquartile range of the blocks over their median.
  double spread() const;
};

/// A case before its run.
Result result_of(const Case& one, std::int64_t width, std::int64_t batch_size, CacheState caches);

/// Adds what another process measured of the same case. It is refused if any of them was wrong.
void append_process(Result& result, Result other);

/// The cases whose name contains a match of the regular expression (POSIX extended); cases of one
/// variant of an op come together. Throws ConfigError if it is malformed or matches none.
Cases select_cases(const Cases& cases, const std::string& filter);

/// Verifies every case, times it in blocks, and verifies it again. In each block all cases run once
/// in each state of the caches, in an order of its own: what the machine does meanwhile hits all alike,
/// and a case's blocks are spread over the whole time. One result for each case and state, in this order.
/// A wrong case is refused, and its times are dropped. If memory is short, some of the cases run first, and
/// then the others.
std::vector<Result> run_cases(const Cases& cases, Workload& workload, const RunOptions& options);

/// Ceilings by the state of the caches.
using CeilingsByState = std::map<CacheState, Ceilings>;

/// Holds each result against the ceilings of its run and state of the caches.
void set_limits(std::vector<Result>& results, const CeilingsByState& ceilings);

}  // namespace tern::bench
