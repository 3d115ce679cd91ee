#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "tern/backend.hpp"

namespace tern::bench {

/// Throws Error unless a (rows, cols) row-major result equals the reference's. For each element
/// |found - expected| <= 10⁻⁴ (|expected| + the root mean square of all expected), a bound that one
/// wrong term breaks and f32 rounding stays far below; for all elements together ‖found - expected‖
/// <= 10⁻⁵ ‖expected‖. Non-finite elements must be the same (a NaN marks an element that must not
/// be written). The message has `what`, the first wrong element, its found and its expected value.
void expect_equal(std::string_view what, std::span<const float> found,
                  std::span<const double> expected, std::int64_t cols);

/// The same for a matrix on its backend and one on the reference.
void expect_equal(std::string_view what, Backend& backend, const Matrix& found, Backend& reference,
                  const Matrix& expected);

}  // namespace tern::bench
