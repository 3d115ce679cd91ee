#pragma once

#include <memory>
#include <string>

#include "bench/support/ceilings.hpp"
#include "bench/support/timer.hpp"
#include "tern/backend.hpp"

namespace tern::bench {

class Workload;

/// The limits, caches and clock of a device, for benchmarks.
class Device {
 public:
  virtual ~Device() = default;
  /// Adds measurements of the limits, at the sizes and row width of the workload's tables.
  virtual void measure_ceilings(const Workload& workload, CacheState caches,
                                Ceilings& ceilings) = 0;
  /// For ops through the backend.
  virtual Timer& backend_timer() = 0;
  /// For rivals, which run beside the backend.
  virtual Timer& rival_timer() = 0;
};

/// threads: for the rivals and for measuring the limits.
std::unique_ptr<Device> make_cpu_device(int threads);

}  // namespace tern::bench
