#pragma once

#include <cstdint>
#include <string_view>

namespace tern::test {

/// The instruction sets of Highway that a processor with `newest` has: AVX2, SSE4, SSSE3, or
/// SSE2, for which Tern's kernels are scalar code. Throws std::invalid_argument for other names.
std::int64_t targets_up_to(std::string_view newest);

}  // namespace tern::test
