#pragma once

#include <cstddef>
#include <cstdint>

namespace tern::cuda {

/// The most blocks that a grid has in x and in y (CUDA C++ Programming Guide, technical
/// specifications).
inline constexpr std::int64_t kMaxBlocks = 0x7fffffff;
inline constexpr std::int64_t kMaxBlocksY = 65'535;

/// The shape of a launch, in plain numbers, so that code without CUDA's headers can compute it.
struct LaunchShape {
  std::int64_t blocks = 0;
  int threads = 0;
  std::size_t shared_bytes = 0;
  std::int64_t blocks_y = 1;
};

/// count / size, rounded up.
constexpr std::int64_t ceil_div(std::int64_t count, std::int64_t size) {
  return (count + size - 1) / size;
}

/// The number of bits that ids below `count` need; at least 1.
constexpr int bits_for(std::uint64_t count) {
  int bits = 1;
  while (bits < 63 && (std::uint64_t{1} << bits) < count) ++bits;
  return bits;
}

/// Lanes that share a row of this many vectors: the next power of two, at most a warp.
constexpr int lanes_for(std::int64_t vectors) {
  int lanes = 1;
  while (lanes < 32 && lanes < vectors) lanes *= 2;
  return lanes;
}

}  // namespace tern::cuda
