#include "host/cpu/pair_strips.hpp"

#include <cmath>

#include "host/backend/checks.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/pair_strips.cpp"
#include <hwy/foreach_target.h>  // after HWY_TARGET_INCLUDE
#include <hwy/highway.h>         // after foreach_target.h

#include <hwy/contrib/math/math-inl.h>  // after highway.h

HWY_BEFORE_NAMESPACE();
namespace tern::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;
using Tag = hn::CappedTag<float, kBlock>;

/// Calls body(f) for the first element of every vector of [0, size).
template <class Body>
HWY_INLINE void for_logit_vectors(std::int64_t size, const Body& body) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(Tag()));
  for (std::int64_t f = 0; f < size; f += lanes) body(f);
}
}  // namespace

/// Turns logits into exp(logit - largest). Returns the largest; *sum: of the results. All results are
/// 0 if every logit is -inf.
float exponentiate(float* HWY_RESTRICT logits, std::int64_t size, float* HWY_RESTRICT sum) {
  const Tag tag;
  auto largest = hn::Set(tag, -std::numeric_limits<float>::infinity());
  for_logit_vectors(size,
                    [&](std::int64_t f) { largest = hn::Max(hn::Load(tag, logits + f), largest); });
  const float most = hn::GetLane(hn::MaxOfLanes(tag, largest));
  const auto shift = hn::Set(tag, std::isinf(most) ? 0.0F : most);
  auto total = hn::Zero(tag);
  for_logit_vectors(size, [&](std::int64_t f) {
    const auto e = hn::Exp(tag, hn::Sub(hn::Load(tag, logits + f), shift));
    hn::Store(e, tag, logits + f);
    total = hn::Add(total, e);
  });
  *sum = hn::GetLane(hn::SumOfLanes(tag, total));
  return most;
}

}  // namespace tern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tern::cpu {
HWY_EXPORT(exponentiate);

namespace {

/// Rows of a strip: at 2048 columns it takes 480 KiB, half of an L2 cache.
constexpr std::int64_t kRows = 10 * kTileRows;
constexpr std::int64_t kManyColumns = 8192;
constexpr std::int64_t kRowsOfManyColumns = 5 * kTileRows;
/// Rows of a group, and the most groups: each has a table of gradients of its own.
constexpr std::int64_t kGroupRows = 256;
constexpr std::int64_t kMaxGroups = 16;

}  // namespace

void exponentiate_strip(const PairTables& tables, std::int64_t begin, std::int64_t rows,
                        const RemoveColumns& remove, float* strip,
                        const std::function<void(std::int64_t, const ExponentRow&)>& finish) {
  const std::int64_t size = padded(tables.columns);
  const std::int64_t ld = tables.strip_stride();
  const ProductKernels products = choose_product_kernels();
  for (std::int64_t j = 0; j < size; j += kPanel) {
    products.multiply({.a = tables.left + begin * tables.stride,
                       .a_row = tables.stride,
                       .a_depth = 1,
                       .b = tables.panels + j * tables.stride,
                       .b_stride = kPanel,
                       .c = strip + j,
                       .c_stride = ld,
                       .rows = rows,
                       .depth = tables.stride,
                       .cols = std::min(kPanel, size - j),
                       .factor = finite_factor(tables.sharpness)});
  }
  const RowKernels kernels = choose_row_kernels();
  const auto to_exponents = HWY_DYNAMIC_DISPATCH(exponentiate);
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t t = begin + r;
    float* logits = strip + r * ld;
    ExponentRow row{.own = logits[t]};
    std::fill(logits + tables.columns, logits + size, kAbsent);
    if (tables.bias != nullptr) kernels.add(1.0F, tables.bias, logits, size);
    remove(t, logits);
    row.largest = to_exponents(logits, size, &row.sum);
    finish(t, row);
  }
}

void sum_columns_of_strip(const PairTables& tables, std::int64_t rows, const float* strip,
                          float* to) {
  choose_product_kernels().multiply({.a = strip,
                                     .a_row = tables.strip_stride(),
                                     .a_depth = 1,
                                     .b = tables.own_right,
                                     .b_stride = tables.own_stride,
                                     .c = to,
                                     .c_stride = tables.own_stride,
                                     .rows = rows,
                                     .depth = tables.columns,
                                     .cols = tables.own_stride});
}

void sum_rows_of_strip(const PairTables& tables, std::int64_t rows, const float* strip,
                       const float* factors, bool add, float* to) {
  choose_product_kernels().multiply({.a = strip,
                                     .a_row = 1,
                                     .a_depth = tables.strip_stride(),
                                     .b = factors,
                                     .b_stride = tables.own_stride,
                                     .c = to,
                                     .c_stride = tables.own_stride,
                                     .rows = tables.columns,
                                     .depth = rows,
                                     .cols = tables.own_stride,
                                     .add = add});
}

void pack_right(ThreadPool& pool, const PairTables& tables) {
  const ProductKernels products = choose_product_kernels();
  const std::int64_t panels = (tables.columns + kPanel - 1) / kPanel;
  parallel_for(pool, panels, [&](std::int64_t p) {
    products.pack(tables.right, tables.columns, tables.stride, p * kPanel,
                  tables.panels + p * kPanel * tables.stride);
  });
}

std::int64_t pair_groups(std::int64_t count) {
  return std::clamp<std::int64_t>((count + kGroupRows - 1) / kGroupRows, 1, kMaxGroups);
}

std::int64_t max_strip_rows(std::int64_t count, std::int64_t columns) {
  return std::min(count, columns > kManyColumns ? kRowsOfManyColumns : kRows);
}

}  // namespace tern::cpu
#endif  // HWY_ONCE
