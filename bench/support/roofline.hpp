#pragma once

#include <string>
#include <vector>

#include "bench/support/run_cases.hpp"

namespace tern::bench {

/// A roofline (Williams, Waterman and Patterson 2009) as an SVG file without references: flop/byte on x,
/// flop/s on y, both logarithmic. The roofs are the best measured rates of streams, gathers and products,
/// for each state of the caches; each timed case with flops is a point with a bar from the lower to the upper
/// quartile of its blocks. No label covers another or a point. Colours follow the reader's light or dark
/// background.
/// title: a line above the picture. ceilings: those of each width and batch size.
std::string roofline_svg(const std::string& title, const std::vector<Result>& results,
                         const std::vector<CeilingsByState>& ceilings);

}  // namespace tern::bench
