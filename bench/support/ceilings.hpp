#pragma once

namespace tern::bench {

/// Limits of the device, measured in the same run as the cases that are compared with them.
struct Ceilings {
  double copy = 0.0;    // bytes/s read plus written by a copy far larger than the caches
  double gather = 0.0;  // bytes/s read by gathering random rows from a table of the items' size
  double product =
      0.0;  // flop/s of f32 products: on a CPU of blocks in its first cache, on a GPU a large one
};

}  // namespace tern::bench
