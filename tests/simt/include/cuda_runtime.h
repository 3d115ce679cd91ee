// Stands in for CUDA's header of this name where g++ compiles kernels for tests/simt.
#pragma once

#include <cstddef>
#include <cstdint>

#include "simt/device/barrier.hpp"
#include "simt/device/language.hpp"
#include "simt/device/math.hpp"
#include "simt/device/memory.hpp"
#include "simt/device/vector_types.hpp"
#include "simt/device/warp.hpp"
#include "simt/runtime/api.hpp"
