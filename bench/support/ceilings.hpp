#pragma once

namespace tern::bench {

/// What the device can do, measured in the same run as the cases that are held against it.
struct Ceilings {
  double copy = 0.0;     // bytes/s read plus written by a copy far larger than the caches
  double gather = 0.0;   // bytes/s read by gathering random rows from a table of the items' size
  double product = 0.0;  // flop/s of a large square f32 matrix product
};

}  // namespace tern::bench
