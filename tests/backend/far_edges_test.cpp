// The CPU's propagate on edges and rows so far out that their numbers, and the places of their elements,
// need more than 32 bits. Arrays hold a few elements, and the kernel gets the address where element 0
// would be. The kernels of a GPU are tested so in tests/simt_backend/far_test.cpp.

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "host/cpu/propagate.hpp"
#include "tern/types.hpp"

namespace tern::cpu {
namespace {

constexpr NodeId kRow = (1 << 30) + 5;
constexpr EdgeOffset kEdge = (EdgeOffset{1} << 33) + 3;
constexpr std::int64_t kStride = 16;

/// The address of element 0 of an array that begins `from` elements before `values`.
template <typename T>
T* origin(T* values, std::int64_t from) {
  return reinterpret_cast<T*>(reinterpret_cast<std::uintptr_t>(values) -
                              static_cast<std::uintptr_t>(from) * sizeof(T));
}

/// y of two rows; their neighbours are the columns kRow .. kRow + 2 in turn, 1 with x = 1, 10, 100.
void propagate_far(bool chosen_rows, bool marked) {
  std::vector<EdgeOffset> offsets{kEdge, kEdge + 600, kEdge + 603};
  std::vector<NodeId> columns;
  for (int e = 0; e < 603; ++e) columns.push_back(kRow + e % 3);
  std::vector<float> ones(3, 1.0F);
  const std::vector<std::uint8_t> marks{1, 0, 1};
  alignas(64) float x[3 * kStride];
  alignas(64) float y[2 * kStride] = {};
  for (int r = 0; r < 3; ++r) {
    for (int c = 0; c < kStride; ++c) x[r * kStride + c] = r == 0 ? 1.0F : r == 1 ? 10.0F : 100.0F;
  }
  const std::vector<NodeId> rows{kRow, kRow + 1};
  PropagateTask task{
      .csr = {origin(offsets.data(), kRow), origin(columns.data(), kEdge), kRow + 2, kRow + 3},
      .to_scale = origin(ones.data(), kRow),
      .from_scale = origin(ones.data(), kRow),
      .x = {origin(static_cast<const float*>(x), kRow * kStride), kRow + 3, kStride, kStride},
      .y = {origin(y, kRow * kStride), kRow + 2, kStride, kStride}};
  if (marked) task.from_marks = origin(marks.data(), kRow);
  if (chosen_rows) {
    task.rows = rows.data();
    propagate_rows(task, 0, 2);
  } else {
    propagate_rows(task, kRow, kRow + 2);
  }
  const float turn = marked ? 101.0F : 111.0F;
  for (int c = 0; c < kStride; ++c) {
    EXPECT_EQ(y[c], 200 * turn) << c;
    EXPECT_EQ(y[kStride + c], turn) << c;
  }
}

TEST(FarEdges, ArePropagated) {
  for (const bool chosen_rows : {false, true}) {
    for (const bool marked : {false, true}) propagate_far(chosen_rows, marked);
  }
}

}  // namespace
}  // namespace tern::cpu
