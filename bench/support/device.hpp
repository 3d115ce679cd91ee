#pragma once

#include <memory>
#include <string>

#include "bench/support/ceilings.hpp"
#include "bench/support/timer.hpp"
#include "tern/backend.hpp"

namespace tern::bench {

class Workload;

/// What benchmarks ask of a device besides its ops: its limits, its caches and its clock.
class Device {
 public:
  virtual ~Device() = default;
  /// Measured, the best of a few repetitions of each; tables and gathers have the workload's sizes.
  virtual Ceilings measure_ceilings(const Workload& workload) = 0;
  /// For what runs through the backend.
  virtual Timer& backend_timer() = 0;
  /// For rivals, which run beside it.
  virtual Timer& rival_timer() = 0;
};

/// threads: of the rivals and of the measured limits.
std::unique_ptr<Device> make_cpu_device(int threads);

}  // namespace tern::bench
