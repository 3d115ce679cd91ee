#include "host/report/axis.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "host/support/number_text.hpp"

namespace tern::report {
namespace {

/// The least of 1, 2, 5 times a power of ten that is no less than this.
double round_step(double step) {
  const double power = std::pow(10.0, std::floor(std::log10(step)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (step <= factor * power * (1.0 + 1e-9)) return factor * power;
  }
  return 10.0 * power;
}

void add_ticks(Axis& axis, double step) {
  // A digit of the step is a digit of every tick.
  axis.decimals = std::max(0, static_cast<int>(std::ceil(-std::log10(step) - 1e-9)));
  const double end = axis.high + 1e-9 * step;
  for (double tick = std::ceil(axis.low / step - 1e-9) * step; tick <= end; tick += step) {
    axis.ticks.push_back(tick);
  }
}

}  // namespace

Axis round_axis(double low, double high, int count) {
  if (!std::isfinite(low) || !std::isfinite(high)) low = high = 0.0;
  const double least = std::max(1e-9, 1e-6 * std::max(std::abs(low), std::abs(high)));
  if (high - low < least) {
    // All values are equal: 0 to twice the value, or around 0.
    const double size = std::max(std::abs(low), 1e-6);
    high = low == 0.0 ? 1.0 : low + size;
    low = low == 0.0 ? 0.0 : low - size;
  }
  const double step = round_step((high - low) / count);
  Axis axis{.low = std::floor(low / step + 1e-9) * step,
            .high = std::ceil(high / step - 1e-9) * step};
  add_ticks(axis, step);
  return axis;
}

Axis whole_axis(double low, double high, int count) {
  Axis axis{.low = low, .high = high > low ? high : low + 1.0};
  add_ticks(axis, std::max(1.0, round_step((axis.high - axis.low) / count)));
  return axis;
}

double place(const Axis& axis, double value, double from, double to) {
  return from + (value - axis.low) / (axis.high - axis.low) * (to - from);
}

std::string tick_text(const Axis& axis, double tick) {
  if (std::abs(tick) < 1e-9 * (axis.high - axis.low)) return "0";
  if (std::abs(tick) >= 1e6 || axis.decimals > 5) return fmt::format("{:.3g}", tick);
  if (axis.decimals == 0) return grouped(std::llround(tick));
  return fmt::format("{:.{}f}", tick, axis.decimals);
}

}  // namespace tern::report
