#pragma once

#include <nvtx3/nvToolsExt.h>

namespace tern::cuda {

/// Names a stretch of the host's time for a profiler (Nsight Systems): an NVTX range, from here to
/// the end of the scope. Costs next to nothing where no profiler listens.
class Range {
 public:
  explicit Range(const char* name) { (void)nvtxRangePushA(name); }
  ~Range() { (void)nvtxRangePop(); }
  Range(const Range&) = delete;
  Range& operator=(const Range&) = delete;
};

}  // namespace tern::cuda
