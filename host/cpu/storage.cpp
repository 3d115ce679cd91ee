#include "host/cpu/storage.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>

#include "host/cpu/pair_strips.hpp"
#include "tern/error.hpp"

namespace tern::cpu {

template <typename Number>
Block<Number>::Block(std::int64_t size) : size_(size) {
  constexpr std::size_t kLine = 64;
  constexpr std::size_t kHugePage = std::size_t{2} << 20;
  if (size < 0 || size > std::numeric_limits<std::int64_t>::max() / 8) {
    throw MemoryError("out of host memory: " + std::to_string(size) +
                      " numbers needed for a matrix");
  }
  const std::size_t bytes = static_cast<std::size_t>(size) * sizeof(Number);
  const std::size_t alignment = bytes >= 2 * kHugePage ? kHugePage : kLine;
  const std::size_t rounded = (std::max(bytes, kLine) + alignment - 1) / alignment * alignment;
  void* block = std::aligned_alloc(alignment, rounded);
  if (block == nullptr) {
    throw MemoryError("out of host memory: " + std::to_string(rounded) +
                      " bytes needed for a matrix");
  }
  data_.reset(static_cast<Number*>(block));
  // A hint: if the kernel declines it, the block works as well.
  if (alignment == kHugePage) (void)madvise(block, rounded, MADV_HUGEPAGE);
  std::memset(block, 0, rounded);
}

template <typename Number>
void Block<Number>::Free::operator()(Number* block) const noexcept {
  std::free(block);
}

template class Block<float>;
template class Block<Bf16>;

void ContrastWorkspace::grow(std::int64_t pairs, std::int64_t negatives_each,
                             const std::int64_t (&rows)[2], std::int64_t stride) {
  const auto reserve = [](FloatBlock& block, std::int64_t size) {
    if (block.size() < size) block = FloatBlock(size);
  };
  const auto extend = [](auto& values, std::int64_t size) {
    if (std::ssize(values) < size) values.resize(static_cast<std::size_t>(size));
  };
  for (const std::size_t side : {0, 1}) {
    reserve(units[side], rows[side] * stride);
    extend(norms[side], rows[side]);
  }
  reserve(weights, pairs * padded(negatives_each));
  reserve(user_gradient, pairs * stride);
  extend(pulls, pairs);
  extend(users, pairs);
  extend(positives, pairs);
  extend(negatives, pairs * negatives_each);
}

void PairWorkspace::grow(std::int64_t count, std::int64_t columns, std::int64_t stride,
                         std::int64_t own_stride, std::int64_t groups, std::int64_t strip_rows) {
  const auto reserve = [](FloatBlock& block, std::int64_t size) {
    if (block.size() < size) block = FloatBlock(size);
  };
  reserve(units[0], count * stride);
  for (FloatBlock* block : {&pushed, &left_gradient}) reserve(*block, count * own_stride);
  reserve(units[1], columns * stride);
  reserve(right_gradients, groups * columns * own_stride);
  reserve(panels, panels_size(columns, stride));
  reserve(strips, strip_rows * strip_stride(columns));
  reserve(bias, padded(columns));
  const auto pairs = static_cast<std::size_t>(count);
  if (std::ssize(norms[1]) < columns) norms[1].resize(static_cast<std::size_t>(columns));
  for (std::vector<double>* values : {&norms[0], &losses}) {
    if (values->size() < pairs) values->resize(pairs);
  }
  for (std::vector<float>* values : {&pulls, &pushes}) {
    if (values->size() < pairs) values->resize(pairs);
  }
}

}  // namespace tern::cpu
