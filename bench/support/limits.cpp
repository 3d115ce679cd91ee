#include "bench/support/limits.hpp"

#include <algorithm>

namespace tern::bench {
namespace {

/// The rate of a stream of which `writes` (0 to 1) are written bytes. Its spread is that of the
/// nearer measured mix.
Limit stream_limit(double bytes, double writes, const MemoryCeilings& at) {
  const Ceiling& half = at.copy.best() > at.update.best() ? at.copy : at.update;
  const double third = 1.0 / 3.0;
  const bool reads_most = writes < third;
  const Ceiling& below = reads_most ? at.read : at.triad;
  const Ceiling& above = reads_most ? at.triad : half;
  const double begin = reads_most ? 0.0 : third;
  const double width = reads_most ? third : 0.5 - third;
  const double part = std::clamp((writes - begin) / width, 0.0, 1.0);
  if (below.best() <= 0.0 || above.best() <= 0.0) return {};
  const double seconds = bytes * ((1.0 - part) / below.best() + part / above.best());
  return {"memory", seconds, std::max(below.spread(), above.spread())};
}

Limit memory_limit(Bound bound, const Cost& cost, const MemoryCeilings& at, double gather_slack,
                   std::string_view precision) {
  const double streamed = cost.bytes - cost.gathered;
  Limit limit;
  if (streamed > 0.0) limit = stream_limit(streamed, cost.written / streamed, at);
  // A GPU's gathers of bf16 are not measured: those of f32 move as many bytes a second or more.
  const bool measured = precision == "bf16" && at.gather_bf16.best() > 0.0;
  const Ceiling& gather = measured ? at.gather_bf16 : at.gather;
  if (bound != Bound::kCopy && gather.best() > 0.0) {
    const double gathers = cost.gathered / gather.best();
    if (gathers > limit.seconds) limit = {"gather", gathers, gather.spread(), gather_slack};
  }
  return limit;
}

}  // namespace

Limit limit_of(Bound bound, const Cost& cost, std::optional<Side> table, const Ceilings& ceilings,
               std::string_view precision) {
  if (bound == Bound::kNone) return {};
  Limit limit;
  for (const Place place : kPlaces) {
    const bool own = table && place == (*table == Side::kUser ? Place::kUsers : Place::kItems);
    if (table && !own) continue;
    const Limit here =
        memory_limit(bound, cost, ceilings.at(place), ceilings.gather_slack, precision);
    if (here.seconds > 0.0 && (limit.seconds == 0.0 || here.seconds < limit.seconds)) limit = here;
  }
  if (bound != Bound::kProduct || ceilings.product.best() <= 0.0) return limit;
  const double products = cost.flops / ceilings.product.best();
  if (products > limit.seconds) limit = {"product", products, ceilings.product.spread()};
  return limit;
}

}  // namespace tern::bench
