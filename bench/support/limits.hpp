#pragma once

#include <algorithm>
#include <optional>
#include <string_view>

#include "bench/support/case.hpp"
#include "bench/support/ceilings.hpp"

namespace tern::bench {

/// The least time that the device's measured limits allow for a case, and the limit that sets it.
struct Limit {
  const char* name = "";  // "memory", "gather", "product"; "" for no limit
  double seconds = 0.0;
  double spread = 0.0;  // of the ceiling
  double slack = 0.0;   // by which an honest op may exceed the ceiling besides

  /// Whether a time is too short to be believed: by more than the spread of the ceiling, or by a
  /// quarter if the machine is too busy to tell that, or by the slack.
  bool exceeded_by(double time) const {
    const double tolerance = std::max(std::min(spread, 0.25), slack);
    return time > 0.0 && seconds > time * (1.0 + tolerance);
  }
};

/// The larger of the times for gathered rows, for streamed bytes and, if the case is bound by it, for
/// the product: one may hide behind the other, so that their sum would be no limit. Streams
/// run at the rate of their own share of writes, between read (no writes), triad (a third), and the
/// faster of copy and update (half). Without a table of its own, a case has the fastest of all.
/// Model: the roofline of Williams, Waterman and Patterson 2009, with a measured rate for each mix, as
/// in McCalpin's STREAM (1995).
/// precision: of the gathered rows, as in Axes.
Limit limit_of(Bound bound, const Cost& cost, std::optional<Side> table, const Ceilings& ceilings,
               std::string_view precision = "f32");

}  // namespace tern::bench
