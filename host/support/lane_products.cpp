#include "host/support/lane_products.hpp"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/support/lane_products.cpp"
#include <hwy/foreach_target.h>  // after HWY_TARGET_INCLUDE
#include <hwy/highway.h>         // after foreach_target.h

HWY_BEFORE_NAMESPACE();
namespace tern::HWY_NAMESPACE {

/// Eight sums at a time keep both multipliers of a core busy.
constexpr std::int64_t kRowsAtOnce = 8;

void multiply_lanes(const float* HWY_RESTRICT a, std::int64_t rows, std::int64_t cols,
                    const float* HWY_RESTRICT b, float* HWY_RESTRICT c) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::CappedTag<float, kProductLanes> tag;
  const auto width = static_cast<std::int64_t>(hn::Lanes(tag));
  for (std::int64_t first = 0; first < rows; first += kRowsAtOnce) {
    const std::int64_t count = std::min(kRowsAtOnce, rows - first);
    const float* row[kRowsAtOnce];
    for (std::int64_t r = 0; r < kRowsAtOnce; ++r) {
      row[r] = a + (first + std::min(r, count - 1)) * cols;  // the last one again, for a rest
    }
    for (std::int64_t lane = 0; lane < kProductLanes; lane += width) {
      auto s0 = hn::Zero(tag), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0;
      for (std::int64_t d = 0; d < cols; ++d) {
        const auto factor = hn::LoadU(tag, b + d * kProductLanes + lane);
        s0 = hn::MulAdd(hn::Set(tag, row[0][d]), factor, s0);
        s1 = hn::MulAdd(hn::Set(tag, row[1][d]), factor, s1);
        s2 = hn::MulAdd(hn::Set(tag, row[2][d]), factor, s2);
        s3 = hn::MulAdd(hn::Set(tag, row[3][d]), factor, s3);
        s4 = hn::MulAdd(hn::Set(tag, row[4][d]), factor, s4);
        s5 = hn::MulAdd(hn::Set(tag, row[5][d]), factor, s5);
        s6 = hn::MulAdd(hn::Set(tag, row[6][d]), factor, s6);
        s7 = hn::MulAdd(hn::Set(tag, row[7][d]), factor, s7);
      }
      const auto write = [&](std::int64_t r, const auto& sum) {
        if (r < count) hn::StoreU(sum, tag, c + (first + r) * kProductLanes + lane);
      };
      write(0, s0);
      write(1, s1);
      write(2, s2);
      write(3, s3);
      write(4, s4);
      write(5, s5);
      write(6, s6);
      write(7, s7);
    }
  }
}

}  // namespace tern::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tern {
HWY_EXPORT(multiply_lanes);

void multiply_lanes(const float* a, std::int64_t rows, std::int64_t cols, const float* b,
                    float* c) {
  HWY_DYNAMIC_DISPATCH(multiply_lanes)(a, rows, cols, b, c);
}

}  // namespace tern
#endif  // HWY_ONCE
