#include "host/cpu/dense_sweeps.hpp"

#include <algorithm>

#include "host/cpu/storage.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/dense_sweeps.cpp"
#include <hwy/foreach_target.h>  // after HWY_TARGET_INCLUDE
#include <hwy/highway.h>         // after foreach_target.h

#include <hwy/cache_control.h>

HWY_BEFORE_NAMESPACE();
namespace tern::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Tag = hn::CappedTag<float, kBlock>;
using Vector = hn::Vec<Tag>;
constexpr auto kLanes = static_cast<std::int64_t>(hn::MaxLanes(Tag()));

/// ReLU, which keeps NaN; `shut` marks the lanes that it sets to zero.
HWY_INLINE Vector rectify(Vector v, hn::Mask<Tag>& shut) {
  shut = hn::Le(v, hn::Zero(Tag()));
  return hn::IfThenZeroElse(shut, v);
}

template <bool kOuter, bool kRelu, bool kKeeps>
void combine_rows(const CombineTask& t) {
  const Tag tag;
  for (std::int64_t r = 0; r < t.rows; ++r) {
    const std::int64_t row = r * t.stride;
    for (std::int64_t f = 0; f < t.stride; f += kLanes) {
      Vector a = hn::Add(hn::Load(tag, t.inner + row + f), hn::Load(tag, t.inner_bias + f));
      auto inner_shut = hn::Le(a, a);
      if constexpr (kRelu) a = rectify(a, inner_shut);
      if constexpr (kOuter) {
        a = hn::Add(a, hn::Add(hn::Load(tag, t.outer + row + f), hn::Load(tag, t.outer_bias + f)));
        auto outer_shut = inner_shut;
        if constexpr (kRelu) a = rectify(a, outer_shut);
      }
      hn::Store(a, tag, t.plain + row + f);
      if constexpr (kKeeps) {
        if constexpr (kOuter && kRelu) {
          const Vector size = hn::Abs(a);
          a = hn::IfThenElse(inner_shut, size, hn::Or(size, hn::SignBit(tag)));
        }
        hn::Store(a, tag, t.active + row + f);
      }
    }
  }
}

template <bool kOuter, bool kRelu>
void combine_rows(const CombineTask& t) {
  if (t.active != nullptr) {
    combine_rows<kOuter, kRelu, true>(t);
  } else {
    combine_rows<kOuter, kRelu, false>(t);
  }
}

/// The sign bit as a mask. Highway 1.0's IfNegativeThenElse() takes all bits for one with SSSE3.
HWY_INLINE hn::Mask<Tag> is_negative(Vector v) {
  const hn::RebindToSigned<Tag> bits;
  return hn::MaskFromVec(hn::BitCast(Tag(), hn::BroadcastSignBit(hn::BitCast(bits, v))));
}

/// a from a stored row, whose sign bits are a mask if the layer has ReLUs.
template <bool kRelu>
HWY_INLINE Vector active_at(const float* active) {
  const Vector a = hn::Load(Tag(), active);
  return kRelu ? hn::Abs(a) : a;
}

/// a - mean.
template <bool kRelu>
HWY_INLINE Vector deviation_at(const NormRows& t, std::int64_t row, std::int64_t f) {
  const Tag tag;
  const Vector a = active_at<kRelu>(t.active + row + f);
  return hn::Sub(hn::Sub(a, hn::Load(tag, t.mean + f)), hn::Load(tag, t.mean_rest + f));
}

template <bool kRelu, bool kStreams>
void normalize_rows(const NormRows& t, const float* scale, const float* shift, float* z) {
  const Tag tag;
  for (std::int64_t r = 0; r < t.rows; ++r) {
    const std::int64_t row = r * t.stride;
    for (std::int64_t f = 0; f < t.stride; f += kLanes) {
      const Vector value = hn::MulAdd(deviation_at<kRelu>(t, row, f), hn::Load(tag, scale + f),
                                      hn::Load(tag, shift + f));
      if constexpr (kStreams) {
        hn::Stream(value, tag, z + row + f);
      } else {
        hn::Store(value, tag, z + row + f);
      }
    }
  }
  if constexpr (kStreams) hwy::FlushStream();
}

template <bool kRelu>
void sum_norm_gradients(const NormRows& t, const float* grad, float* of_scale, float* of_shift) {
  const Tag tag;
  for (std::int64_t r = 0; r < t.rows; ++r) {
    const std::int64_t row = r * t.stride;
    for (std::int64_t f = 0; f < t.stride; f += kLanes) {
      const Vector unit = hn::Mul(deviation_at<kRelu>(t, row, f), hn::Load(tag, t.inverse + f));
      const Vector g = hn::Load(tag, grad + row + f);
      hn::Store(hn::MulAdd(g, unit, hn::Load(tag, of_scale + f)), tag, of_scale + f);
      hn::Store(hn::Add(g, hn::Load(tag, of_shift + f)), tag, of_shift + f);
    }
  }
}

template <bool kNorm, bool kRelu, bool kOuter>
void mask_rows(const NormRows& t, const MaskTask& task) {
  const Tag tag;
  const Vector zero = hn::Zero(tag);
  for (std::int64_t r = 0; r < t.rows; ++r) {
    const std::int64_t row = r * t.stride;
    for (std::int64_t f = 0; f < t.stride; f += kLanes) {
      Vector grad = hn::Load(tag, task.grad_z + row + f);
      if constexpr (kNorm) {
        const Vector unit = hn::Mul(deviation_at<kRelu>(t, row, f), hn::Load(tag, t.inverse + f));
        const Vector less =
            hn::MulAdd(unit, hn::Load(tag, task.slope + f), hn::Load(tag, task.shift + f));
        grad = hn::MulSub(grad, hn::Load(tag, task.scale + f), less);
      }
      if constexpr (kRelu) {
        const Vector a = hn::Load(tag, t.active + row + f);
        grad = hn::IfThenZeroElse(hn::Eq(a, zero), grad);  // a negative sign is only the inner mask
        if constexpr (kOuter) hn::Store(grad, tag, task.outer + row + f);
        if constexpr (kOuter) grad = hn::IfThenElseZero(is_negative(a), grad);
      } else if constexpr (kOuter) {
        hn::Store(grad, tag, task.outer + row + f);
      }
      hn::Store(grad, tag, task.inner + row + f);
    }
  }
}

template <bool kNorm>
void mask_rows(const NormRows& t, const MaskTask& task) {
  if (task.outer == nullptr) {
    t.relu ? mask_rows<kNorm, true, false>(t, task) : mask_rows<kNorm, false, false>(t, task);
  } else {
    t.relu ? mask_rows<kNorm, true, true>(t, task) : mask_rows<kNorm, false, true>(t, task);
  }
}

}  // namespace

void combine_target(const CombineTask& t) {
  if (t.outer == nullptr) {
    t.relu ? combine_rows<false, true>(t) : combine_rows<false, false>(t);
  } else {
    t.relu ? combine_rows<true, true>(t) : combine_rows<true, false>(t);
  }
}

void sum_columns_target(const float* block, std::int64_t rows, std::int64_t stride, float* sums) {
  const Tag tag;
  std::fill_n(sums, stride, 0.0F);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t f = 0; f < stride; f += kLanes) {
      const Vector value = hn::Load(tag, block + r * stride + f);
      hn::Store(hn::Add(value, hn::Load(tag, sums + f)), tag, sums + f);
    }
  }
}

void sum_deviations_target(const float* block, std::int64_t rows, std::int64_t stride,
                           const float* about, float* sums, float* squares) {
  const Tag tag;
  std::fill_n(sums, stride, 0.0F);
  std::fill_n(squares, stride, 0.0F);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t f = 0; f < stride; f += kLanes) {
      const Vector d = hn::Sub(hn::Load(tag, block + r * stride + f), hn::Load(tag, about + f));
      hn::Store(hn::Add(d, hn::Load(tag, sums + f)), tag, sums + f);
      hn::Store(hn::MulAdd(d, d, hn::Load(tag, squares + f)), tag, squares + f);
    }
  }
}

void normalize_target(const NormRows& t, const float* scale, const float* shift, bool streams,
                      float* z) {
  if (streams) {
    t.relu ? normalize_rows<true, true>(t, scale, shift, z)
           : normalize_rows<false, true>(t, scale, shift, z);
  } else {
    t.relu ? normalize_rows<true, false>(t, scale, shift, z)
           : normalize_rows<false, false>(t, scale, shift, z);
  }
}

void sum_norm_gradients_target(const NormRows& t, const float* grad, float* of_scale,
                               float* of_shift) {
  std::fill_n(of_scale, t.stride, 0.0F);
  std::fill_n(of_shift, t.stride, 0.0F);
  t.relu ? sum_norm_gradients<true>(t, grad, of_scale, of_shift)
         : sum_norm_gradients<false>(t, grad, of_scale, of_shift);
}

void mask_target(const NormRows& t, const MaskTask& task) {
  task.scale != nullptr ? mask_rows<true>(t, task) : mask_rows<false>(t, task);
}

}  // namespace tern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tern::cpu {
HWY_EXPORT(combine_target);
HWY_EXPORT(sum_columns_target);
HWY_EXPORT(sum_deviations_target);
HWY_EXPORT(normalize_target);
HWY_EXPORT(sum_norm_gradients_target);
HWY_EXPORT(mask_target);

void combine_block(const CombineTask& task) {
  HWY_DYNAMIC_DISPATCH(combine_target)(task);
}

void sum_columns(const float* block, std::int64_t rows, std::int64_t stride, float* sums) {
  HWY_DYNAMIC_DISPATCH(sum_columns_target)(block, rows, stride, sums);
}

void sum_deviations(const float* block, std::int64_t rows, std::int64_t stride, const float* about,
                    float* sums, float* squares) {
  HWY_DYNAMIC_DISPATCH(sum_deviations_target)(block, rows, stride, about, sums, squares);
}

void normalize_rows(const NormRows& rows, const float* scale, const float* shift, bool streams,
                    float* z) {
  HWY_DYNAMIC_DISPATCH(normalize_target)(rows, scale, shift, streams, z);
}

void sum_norm_gradients(const NormRows& rows, const float* grad, float* of_scale, float* of_shift) {
  HWY_DYNAMIC_DISPATCH(sum_norm_gradients_target)(rows, grad, of_scale, of_shift);
}

void mask_gradients(const NormRows& rows, const MaskTask& task) {
  HWY_DYNAMIC_DISPATCH(mask_target)(rows, task);
}

}  // namespace tern::cpu
#endif  // HWY_ONCE
