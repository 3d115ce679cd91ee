#include "host/cpu/whole_rows.hpp"

#include <algorithm>
#include <cstddef>

#include "host/cpu/backend.hpp"

namespace tern::cpu {

OwnColumns own_columns(const PartialSums* sums, const MatrixView<float>& table) {
  if (sums == nullptr) return {0, table.cols, table.stride, table.stride};
  const PartialSums::Place place = sums->place();
  return {place.first, table.cols, table.stride, padded(place.width)};
}

void gather_whole_rows(ThreadPool& pool, PartialSums& sums, std::span<const SomeRows> rows,
                       PairWorkspace& work) {
  const std::int64_t cols = rows.front().table.cols;
  const std::int64_t width = sums.place().width;
  std::int64_t count = 0;
  for (const SomeRows& some : rows) count += std::ssize(some.nodes);
  work.sent.resize(static_cast<std::size_t>(count * cols));
  float* to = work.sent.data();
  for (const SomeRows& some : rows) {
    parallel_for_blocks(pool, std::ssize(some.nodes), kRowBlock, [&](std::int64_t r) {
      std::copy_n(some.table.row(some.nodes[r]), cols, to + r * cols);
    });
    to += std::ssize(some.nodes) * cols;
  }
  const std::int64_t stride = padded(width);
  if (work.whole.size() < count * stride) work.whole = FloatBlock(count * stride);
  sums.gather(work.sent, {work.whole.data(), count, width, stride});
}

void grow_own_units(PairWorkspace& work, std::size_t side, std::int64_t rows,
                    const OwnColumns& own) {
  FloatBlock& units = work.own_units[side];
  if (units.size() < rows * own.stride) units = FloatBlock(rows * own.stride);
}

void normalize_whole_row(const RowKernels& kernels, const OwnColumns& own, std::int64_t r,
                         std::size_t side, std::int64_t t, PairWorkspace& work) {
  float* unit = work.units[side].data() + t * own.whole_stride;
  work.norms[side][t] =
      normalize(kernels, work.whole.data() + r * own.whole_stride, unit, own.whole_stride);
  float* part = work.own_units[side].data() + t * own.stride;
  std::copy_n(unit + own.first, own.cols, part);
  std::fill_n(part + own.cols, own.stride - own.cols, 0.0F);
}

}  // namespace tern::cpu
