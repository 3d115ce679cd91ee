#pragma once

#include <cstddef>
#include <cstdint>

namespace tern::cuda {

/// The shape of a launch, as the small functions beside the kernels decide it. Plain numbers, so
/// that a GPU's launcher and the executor of tests/simt take the same.
struct LaunchShape {
  std::int64_t blocks = 0;
  int threads = 0;
  std::size_t shared_bytes = 0;
  int blocks_y = 1;
};

/// How many pieces of so many a number makes.
constexpr std::int64_t pieces(std::int64_t count, std::int64_t size) {
  return (count + size - 1) / size;
}

/// Lanes that share a row of so many vectors: the next power of two, at most a warp.
constexpr int lanes_for(std::int64_t vectors) {
  int lanes = 1;
  while (lanes < 32 && lanes < vectors) lanes *= 2;
  return lanes;
}

}  // namespace tern::cuda
