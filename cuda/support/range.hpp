#pragma once

#include <nvtx3/nvToolsExt.h>

namespace tern::cuda {

/// An NVTX range for profilers (Nsight Systems), from here to the end of the scope. Costs next to
/// nothing without a profiler.
class Range {
 public:
  explicit Range(const char* name) { (void)nvtxRangePushA(name); }
  ~Range() { (void)nvtxRangePop(); }
  Range(const Range&) = delete;
  Range& operator=(const Range&) = delete;
};

}  // namespace tern::cuda
