#pragma once

#include "bench/support/ceilings.hpp"
#include "bench/support/workload.hpp"

namespace tern::bench {

/// Adds measurements of the memory's limits on a CPU: loops over tables of the workload's sizes, each
/// thread on one stretch, and gathers of rows as propagation lists them.
void measure_memory(const Workload& workload, Timer& timer, CacheState caches, int threads,
                    Ceilings& ceilings);

}  // namespace tern::bench
