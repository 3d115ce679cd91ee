#pragma once

#include <string>
#include <vector>

namespace tern::distributed {

/// The GPUs that a rank sees.
struct GpuView {
  std::string host;
  std::vector<std::string> gpus;  // each with a text that no other GPU of the host has
};

/// The place of each rank's GPU in its own list: the first one that no rank before it on the same host has; -1
/// if there is none. Ranks of a host may all see the same GPUs, or a launcher may show each of them others.
std::vector<int> share_gpus(const std::vector<GpuView>& views);

}  // namespace tern::distributed
