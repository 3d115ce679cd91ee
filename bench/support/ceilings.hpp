#pragma once

namespace tern::bench {

/// Limits of the device, measured in the same run as the cases that are compared with them.
struct Ceilings {
  double copy = 0.0;    // bytes/s read plus written by a copy far larger than the caches
  double gather = 0.0;  // bytes/s read by gathering random rows from a table of the items' size
  /// flop/s of f32 products: on a CPU of blocks that fit its first cache, on a GPU of a large one.
  double product = 0.0;
};

}  // namespace tern::bench
