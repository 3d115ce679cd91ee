#pragma once

#include <cstdint>

#include "cuda/support/launch_shape.hpp"
#include "tern/view.hpp"

namespace tern::cuda {

/// y = s_to ⊙ (A (s_from ⊙ x)): propagate without its options, as all its rivals compute it. All
/// pointers on the device; x and y have one stride, a whole number of vectors of four floats, whose
/// padding is zero in x and becomes zero in y. Every row of y is overwritten.
struct ProductTask {
  CsrView csr;  // a row of y lists its neighbours in x
  const float* to_scale = nullptr;
  const float* from_scale = nullptr;
  MatrixView<const float> x;
  MatrixView<float> y;
};

/// Threads of a block, unless a rival needs another number: 8 warps, as in Tern's own kernels.
inline constexpr int kRivalThreads = 256;

}  // namespace tern::cuda
