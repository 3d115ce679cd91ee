#pragma once

#include <cuda_runtime.h>

#include <type_traits>

#include "cuda/support/launch_shape.hpp"
#include "simt/simt.hpp"

namespace tern::test {

/// Launches kernels on the executor, as cuda/support/launch.hpp does on a GPU.
struct SimtLauncher {
  simt::Options options;

  template <typename... Parameters>
  void operator()(const cuda::LaunchShape& shape, void (*kernel)(Parameters...),
                  std::type_identity_t<Parameters>... arguments) const {
    if (shape.blocks == 0 || shape.blocks_y == 0) return;
    simt::launch(dim3(static_cast<unsigned>(shape.blocks), static_cast<unsigned>(shape.blocks_y)),
                 dim3(static_cast<unsigned>(shape.threads)), shape.shared_bytes, options, kernel,
                 arguments...);
  }
};

}  // namespace tern::test
