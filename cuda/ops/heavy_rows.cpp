#include <limits>

#include "cuda/ops/propagate.hpp"
#include "tern/error.hpp"

namespace tern::cuda {

HeavyRows find_heavy_rows(std::span<const EdgeOffset> offsets) {
  HeavyRows heavy;
  for (std::size_t r = 0; r + 1 < offsets.size(); ++r) {
    const EdgeOffset degree = offsets[r + 1] - offsets[r];
    if (degree <= kHeavyDegree) continue;
    const auto row = static_cast<NodeId>(r);
    const EdgeOffset count = pieces(degree, kSegment);
    if (heavy.slots + count > std::numeric_limits<std::int32_t>::max()) {
      throw DeviceError("A graph whose long rows make more than 2147483647 segments is too large.");
    }
    if (count > 1) heavy.split.push_back({row, heavy.slots, static_cast<std::int32_t>(count)});
    for (EdgeOffset begin = offsets[r]; begin < offsets[r + 1]; begin += kSegment) {
      const EdgeOffset end = begin + kSegment < offsets[r + 1] ? begin + kSegment : offsets[r + 1];
      heavy.segments.push_back({row, count > 1 ? heavy.slots++ : -1, begin, end});
    }
  }
  return heavy;
}

}  // namespace tern::cuda
