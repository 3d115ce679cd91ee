// Stands in for CUDA's header of this name: the emulated runtime, without the device's language.
#pragma once

#include <cstddef>
#include <cstdint>

#include "simt/runtime/api.hpp"
