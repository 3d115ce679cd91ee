// Runs a test program as on an older processor: with TERN_TEST_SIMD=SSE4, Highway chooses nothing
// newer. OpenBLAS has its own variable for that, OPENBLAS_CORETYPE.

#include "tests/support/simd_limit.hpp"

#include <hwy/highway.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>

namespace tern::test {

std::int64_t targets_up_to(std::string_view newest) {
  std::int64_t best = 0;
  if (newest == "AVX2") {
    best = HWY_AVX2;
  } else if (newest == "SSE4") {
    best = HWY_SSE4;
  } else if (newest == "SSSE3") {
    best = HWY_SSSE3;
  } else if (newest == "SSE2") {
    best = HWY_STATIC_TARGET;
  } else {
    throw std::invalid_argument("TERN_TEST_SIMD must be AVX2, SSE4, SSSE3 or SSE2, not " +
                                std::string(newest));
  }
  return ~(best - 1);  // newer sets have lower bits
}

namespace {

// Runs before main, hence before any kernel is chosen.
const bool limited = [] {
  const char* newest = std::getenv("TERN_TEST_SIMD");
  if (newest == nullptr) return false;
  try {
    // hwy::DisableTargets() would end when a backend calls SupportedTargets().
    hwy::SetSupportedTargetsForTest((hwy::SupportedTargets() & targets_up_to(newest)) |
                                    HWY_STATIC_TARGET);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    std::exit(2);
  }
  return true;
}();

}  // namespace
}  // namespace tern::test
