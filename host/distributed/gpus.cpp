#include "host/distributed/gpus.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace tern::distributed {

std::vector<int> share_gpus(const std::vector<GpuView>& views) {
  std::set<std::pair<std::string, std::string>> taken;
  std::vector<int> places;
  for (const GpuView& view : views) {
    const auto free = std::ranges::find_if(
        view.gpus, [&](const std::string& gpu) { return taken.emplace(view.host, gpu).second; });
    places.push_back(free == view.gpus.end() ? -1 : static_cast<int>(free - view.gpus.begin()));
  }
  return places;
}

}  // namespace tern::distributed
