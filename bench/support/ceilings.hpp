#pragma once

#include "bench/support/workload.hpp"

namespace tern::bench {

/// What the device can do, measured in the same run as the cases that are held against it.
struct Ceilings {
  double copy = 0.0;     // bytes/s read plus written by a copy far larger than the caches
  double gather = 0.0;   // bytes/s read by gathering random rows from a table of the items' size
  double product = 0.0;  // flop/s of a large square matrix product
};

/// Takes the best of a few repetitions of each.
Ceilings measure_ceilings(Workload& workload);

/// Evicts the CPU's caches by writing a buffer larger than them.
class CacheFlusher {
 public:
  CacheFlusher();
  void flush();

 private:
  std::vector<float> buffer_;
};

}  // namespace tern::bench
