#pragma once

#include <cstdint>
#include <type_traits>

#include "cuda/support/launch_shape.hpp"

namespace tern::cuda {

/// Calls f(std::integral_constant<int, lanes>) with the lanes that share a row of this many
/// vectors.
template <typename Function>
void with_lanes(std::int64_t vectors, Function&& f) {
  switch (lanes_for(vectors)) {
    case 1:
      return f(std::integral_constant<int, 1>());
    case 2:
      return f(std::integral_constant<int, 2>());
    case 4:
      return f(std::integral_constant<int, 4>());
    case 8:
      return f(std::integral_constant<int, 8>());
    case 16:
      return f(std::integral_constant<int, 16>());
    default:
      return f(std::integral_constant<int, 32>());
  }
}

}  // namespace tern::cuda
