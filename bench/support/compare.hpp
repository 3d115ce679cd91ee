#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "tern/backend.hpp"

namespace tern::bench {

/// Throws Error unless a (rows, cols) row-major result is that of the reference. Of each element,
/// |found - expected| <= 10⁻⁴ (|expected| + the root mean square of all expected), which one wrong
/// term breaks and f32 rounding does not come near; of all together, ‖found - expected‖ <= 10⁻⁵
/// ‖expected‖. What is not finite must be the same (a NaN
/// marks what is not to be written). The message names `what`, the first wrong element,
/// what was found and what was expected.
void expect_equal(std::string_view what, std::span<const float> found,
                  std::span<const double> expected, std::int64_t cols);

/// The same of a matrix on its backend and one on the reference.
void expect_equal(std::string_view what, Backend& backend, const Matrix& found, Backend& reference,
                  const Matrix& expected);

}  // namespace tern::bench
