#pragma once

#include <string>
#include <vector>

namespace tern::report {

/// A linear axis: the ends of what it shows, and the values that it names.
struct Axis {
  double low = 0.0;
  double high = 1.0;
  std::vector<double> ticks = {};
  int decimals = 0;  // of a tick's text
};

/// An axis from a round number to a round number that covers [low, high], with about `count` ticks at steps of 1, 2 or 5 times
/// a power of ten. An empty or infinite range becomes one around it.
Axis round_axis(double low, double high, int count = 5);
/// An axis over whole numbers that ends where they end, such as epochs.
Axis whole_axis(double low, double high, int count = 6);

/// The place of a value between `from`, for the low end, and `to`.
double place(const Axis& axis, double value, double from, double to);
std::string tick_text(const Axis& axis, double tick);

}  // namespace tern::report
