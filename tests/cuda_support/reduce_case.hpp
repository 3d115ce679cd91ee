// Values for the tests of reductions, and the expected result.
#pragma once

#include <cstddef>
#include <type_traits>
#include <vector>

#include "cuda/support/warp.cuh"

namespace tern::cuda {

/// Values of both signs, none neutral for every operation; floats with parts that rounding loses.
template <typename T>
std::vector<T> values_of(int count) {
  std::vector<T> values(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    const int value = (i * 7919 + 13) % 2001 - 1000;
    if constexpr (std::is_floating_point_v<T>) {
      values[static_cast<std::size_t>(i)] = static_cast<T>(value) + T(1) / static_cast<T>(i + 3);
    } else {
      values[static_cast<std::size_t>(i)] = static_cast<T>(value);  // wraps if T is unsigned
    }
  }
  return values;
}

/// The same operations in the order that warp_reduce promises, on the host.
template <typename Op, typename T>
T tree(std::vector<T> values) {
  const std::size_t count = values.size();
  for (std::size_t distance = 16; distance > 0; distance /= 2) {
    for (std::size_t i = 0; i + distance < count && i < distance; ++i) {
      values[i] = Op::combine(values[i], values[i + distance]);
    }
  }
  return values[0];
}

}  // namespace tern::cuda
