#include "host/cpu/storage.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>

#include "tern/error.hpp"

namespace tern::cpu {

FloatBlock::FloatBlock(std::int64_t size) : size_(size) {
  constexpr std::size_t kLine = 64;
  constexpr std::size_t kHugePage = std::size_t{2} << 20;
  if (size < 0 || size > std::numeric_limits<std::int64_t>::max() / 8) {
    throw MemoryError("out of host memory: " + std::to_string(size) +
                      " floats needed for a matrix");
  }
  const std::size_t bytes = static_cast<std::size_t>(size) * sizeof(float);
  const std::size_t alignment = bytes >= 2 * kHugePage ? kHugePage : kLine;
  const std::size_t rounded = (std::max(bytes, kLine) + alignment - 1) / alignment * alignment;
  void* block = std::aligned_alloc(alignment, rounded);
  if (block == nullptr) {
    throw MemoryError("out of host memory: " + std::to_string(rounded) +
                      " bytes needed for a matrix");
  }
  data_.reset(static_cast<float*>(block));
  // A hint: if the kernel declines it, the block works as well.
  if (alignment == kHugePage) (void)madvise(block, rounded, MADV_HUGEPAGE);
  std::memset(block, 0, rounded);
}

void FloatBlock::Free::operator()(float* block) const noexcept {
  std::free(block);
}

}  // namespace tern::cpu
