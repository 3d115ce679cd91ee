// The bf16 copies that propagate gathers from. Elements are rounded by integers, like to_bf16: the
// processors' own instructions take the smallest numbers for zero.

#include "host/cpu/gather_copy.hpp"

#include "host/backend/checks.hpp"
#include "host/support/parallel.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/gather_copy.cpp"
#include <hwy/foreach_target.h>  // after HWY_TARGET_INCLUDE
#include <hwy/highway.h>         // after foreach_target.h

HWY_BEFORE_NAMESPACE();
namespace tern::cpu::HWY_NAMESPACE {

/// Rounds `size` elements, whole blocks.
void round_to_copy(const float* HWY_RESTRICT values, Bf16* HWY_RESTRICT copy, std::int64_t size) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::CappedTag<float, kBlock> tag;
  const hn::RebindToUnsigned<decltype(tag)> bits_tag;
  const hn::RebindToSigned<decltype(tag)> number_tag;
  const hn::Rebind<Bf16, decltype(tag)> copy_tag;
  const auto quiet = hn::Set(bits_tag, 0x00400000U);
  const auto below_half = hn::Set(bits_tag, 0x7FFFU);
  const auto one = hn::Set(bits_tag, 1U);
  for (std::int64_t f = 0; f < size; f += static_cast<std::int64_t>(hn::Lanes(tag))) {
    const auto value = hn::Load(tag, values + f);
    const auto bits = hn::BitCast(bits_tag, value);
    const auto is_nan = hn::RebindMask(bits_tag, hn::IsNaN(value));
    const auto tie = hn::And(hn::ShiftRight<16>(bits), one);
    const auto nearest = hn::Add(bits, hn::Add(below_half, tie));
    const auto rounded = hn::IfThenElse(is_nan, hn::Or(bits, quiet), nearest);
    // Demotion saturates, and the upper halves are below 2¹⁶.
    const auto half = hn::BitCast(number_tag, hn::ShiftRight<16>(rounded));
    hn::Store(hn::DemoteTo(copy_tag, half), copy_tag, copy + f);
  }
}

}  // namespace tern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tern::cpu {
HWY_EXPORT(round_to_copy);

const Bf16* fresh_copy(const Matrix& x, ThreadPool& pool) {
  const auto& found = storage_of<MatrixStorage>(x, "cpu", "matrix");
  if (found.copy == nullptr) return nullptr;
  GatherCopy& copy = *found.copy;
  if (copy.stale.load(std::memory_order_relaxed)) {
    const auto round_to_copy = HWY_DYNAMIC_DISPATCH(round_to_copy);
    constexpr std::int64_t kBlockFloats = 1 << 14;
    parallel_for_ranges(
        pool, found.values.size(), kBlockFloats, [&](std::int64_t begin, std::int64_t end) {
          round_to_copy(found.values.data() + begin, copy.values.data() + begin, end - begin);
        });
    copy.stale.store(false, std::memory_order_relaxed);
  }
  return copy.values.data();
}

CopyRefresh::CopyRefresh(const Matrix& matrix, const RowSet* rows) {
  const auto& found = storage_of<MatrixStorage>(matrix, "cpu", "matrix");
  if (found.copy == nullptr) return;
  if (rows != nullptr && found.copy->stale.load(std::memory_order_relaxed)) return;
  values_ = found.values.data();
  copy_ = found.copy.get();
}

void CopyRefresh::copy(std::int64_t begin, std::int64_t end) const {
  if (copy_ == nullptr) return;
  HWY_DYNAMIC_DISPATCH(round_to_copy)
  (values_ + begin, copy_->values.data() + begin, end - begin);
}

void CopyRefresh::finish() const {
  if (copy_ != nullptr) copy_->stale.store(false, std::memory_order_relaxed);
}

}  // namespace tern::cpu
#endif  // HWY_ONCE
