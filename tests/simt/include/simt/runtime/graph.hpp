// The contents of a captured graph. A test that captures a launch gets its shape, and nothing
// runs: so even grids that no CPU could execute can be checked.
#pragma once

#include <cstddef>
#include <vector>

#include "simt/runtime/types.hpp"

namespace simt {

struct CapturedLaunch {
  dim3 grid;
  dim3 block;
  std::size_t shared_bytes = 0;
};

/// The kernel launches of a graph in the order of capture; copies and library calls are left out.
std::vector<CapturedLaunch> launches_of(cudaGraph_t graph);

}  // namespace simt
