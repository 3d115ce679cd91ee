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

  /// Whether a time is too short to be believed: by more than the spread of the ceiling, or by a
  /// quarter if the machine is too busy to tell that. Gathers of a table in a near cache can be
  /// faster than the measured loop, which reuses no row (up to 2.7 times on an EPYC): only more than 4 times is
  /// implausible.
  bool exceeded_by(double time) const {
    const bool gathers = std::string_view(name) == "gather";
    const double tolerance = gathers ? 3.0 : std::min(spread, 0.25);
    return time > 0.0 && seconds > time * (1.0 + tolerance);
  }
};

/// The larger of the times for gathered rows, for streamed bytes and, if the case is bound by it, for
/// the product: one may hide behind the other, so that their sum would be no limit. Streams
/// run at the rate of their own share of writes, between read (no writes), triad (a third), and the
/// faster of copy and update (half). Without a table of its own, a case has the fastest of all.
/// Model: the roofline of Williams, Waterman and Patterson 2009, with a measured rate for each mix, as
/// in McCalpin's STREAM (1995).
Limit limit_of(Bound bound, const Cost& cost, std::optional<Side> table, const Ceilings& ceilings);

}  // namespace tern::bench
