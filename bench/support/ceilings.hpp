#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "bench/support/timer.hpp"

namespace tern::bench {

/// A limit of the device, in bytes/s or flop/s, measured several times.
struct Ceiling {
  std::vector<double> rates;

  /// The highest rate, 0 if nothing was measured.
  double best() const { return rates.empty() ? 0.0 : *std::ranges::max_element(rates); }
  /// How far the best rate is above the quartile below it: as well as the limit is known. Other
  /// programs only ever slow a run down, so that slower runs say nothing about the limit.
  double spread() const {
    if (rates.empty()) return 0.0;
    std::vector<double> sorted = rates;
    std::ranges::sort(sorted);
    return sorted.back() / sorted[sorted.size() * 3 / 4] - 1.0;
  }
};

/// The tables that limits are measured at: those of the workload's users and items, and the rows of
/// its first batch, which lie in nearer caches.
enum class Place : std::uint8_t { kUsers, kItems, kBatch };
inline constexpr std::array kPlaces{Place::kUsers, Place::kItems, Place::kBatch};

/// Limits of memory at the size and row width of one table. Bytes read plus written.
struct MemoryCeilings {
  Ceiling read;         // sum of a
  Ceiling copy;         // b = a
  Ceiling update;       // b = -b
  Ceiling triad;        // b += c a
  Ceiling gather;       // rows in the order in which the graph lists them
  Ceiling gather_bf16;  // rows of half as many bytes; empty unless a case gathers such
};

/// Limits of the device, measured in the same run and state of the caches as the cases that are
/// compared with them.
struct Ceilings {
  enum class Gathers : std::uint8_t { kF32, kAlsoBf16 };
  Gathers gathers = Gathers::kF32;  // which gathers are measured
  /// By how much ops may exceed the measured gathers, as the device knows its loop to be no limit.
  double gather_slack = 0.0;
  std::array<MemoryCeilings, 3> memory;  // by Place
  /// f32 products: on a CPU of blocks that fit its first cache, on a GPU of a large one.
  Ceiling product;

  MemoryCeilings& at(Place place) { return memory[static_cast<std::size_t>(place)]; }
  const MemoryCeilings& at(Place place) const { return memory[static_cast<std::size_t>(place)]; }
};

/// Adds the rates of a few runs that move or compute `amount`.
inline void measure(Ceiling& ceiling, double amount, Timer& timer, CacheState caches,
                    const std::function<void()>& run) {
  constexpr int kRuns = 15;
  for (int i = 0; i < kRuns; ++i) {
    if (caches == CacheState::kEvicted) {
      timer.evict();
    } else {
      run();
    }
    ceiling.rates.push_back(amount / timer.seconds(run));
  }
}

}  // namespace tern::bench
