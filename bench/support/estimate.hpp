#pragma once

#include <cstdint>
#include <string>

#include "bench/support/case.hpp"

namespace tern::bench {

/// The sizes from which the needs of cases are estimated before anything is allocated.
struct Sizes {
  std::int64_t users = 0;
  std::int64_t items = 0;
  std::int64_t interactions = 0;
  std::int64_t width = 0;
  std::int64_t batch = 0;
  int threads = 1;
};

/// The memory that a case holds while it runs, in bytes: on the device that is measured, and on the host for
/// the reference's answer. And the seconds for making and verifying it, by the f64 loops of the
/// reference on one thread, and for one run on the device.
struct Need {
  double device = 0.0;
  double host = 0.0;
  double preparation = 0.0;
  double run = 0.0;
};

/// By formulas of sizes, one for each op; an op that it does not know is taken for one over a few tables.
/// Right to about a factor of two, more for the times of a processor unlike those that it was made on (an
/// EPYC 9005, 2 cores).
Need need_of(const Case& one, const Sizes& sizes);

/// All cases at one width and batch size.
struct Estimate {
  double device =
      0.0;  // bytes at most at one time, of all cases, or of those that half of `free` holds; with the
            // host's, if the device is a CPU
  double seconds = 0.0;
  double largest = 0.0;  // bytes of the least that must fit: data and the largest case, on its own
  std::string largest_case;
};

/// states: of the caches; seconds and blocks as in RunOptions; free: bytes.
struct RunPlan {
  DeviceKind device = DeviceKind::kCpu;
  int states = 1;
  double seconds = 0.0;
  int blocks = 1;
  int processes = 1;  // each of which makes and verifies all cases
  double free = 0.0;
};
Estimate estimate(const Cases& cases, const Sizes& sizes, const RunPlan& plan);

/// "3 min 20 s", "45 s", "2 h 5 min".
std::string duration_text(double seconds);
/// "1.3 GB", "40 MB".
std::string bytes_text(double bytes);

}  // namespace tern::bench
