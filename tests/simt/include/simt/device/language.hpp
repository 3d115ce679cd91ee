// The keywords that CUDA adds to C++, and the built-in variables of a thread.
#pragma once

#include "simt/device/vector_types.hpp"

#define __global__
#define __device__
#define __host__
#define __constant__
#define __grid_constant__
#define __launch_bounds__(...)
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(bytes) __attribute__((aligned(bytes)))

// A CPU thread runs one block at a time, so a thread_local variable is shared by a block.
// __noinline__ is left out: libstdc++ spells an attribute so.
#define __shared__ __attribute__((used)) thread_local

// Not zero at first, so that the linker keeps them apart from the shared variables, which are.
inline constinit thread_local uint3 threadIdx{~0u, ~0u, ~0u};
inline constinit thread_local uint3 blockIdx{~0u, ~0u, ~0u};
inline constinit thread_local dim3 blockDim{};
inline constinit thread_local dim3 gridDim{};
inline constexpr int warpSize = 32;

/// The dynamic shared memory of a launch. A kernel declares it by this one name,
///   extern __shared__ __align__(16) unsigned char dynamic_shared_memory[];
/// and casts; nvcc takes the same line.
extern thread_local unsigned char dynamic_shared_memory[];
