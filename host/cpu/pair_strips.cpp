#include "host/cpu/pair_strips.hpp"

#include <cblas.h>

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

/// Rows of a strip: at B = 2048 it takes 512 KiB, half of an L2 cache. On an EPYC 9004, OpenBLAS makes
/// 54, 68, 72, 74 GFLOP/s a thread with 16, 32, 64, 128 rows.
constexpr std::int64_t kRows = 64;
constexpr std::int64_t kLargeBatch = 8192;
constexpr std::int64_t kRowsOfLargeBatch = 32;
/// Rows of a group, and the most groups: each has a table of gradients of its own.
constexpr std::int64_t kGroupRows = 256;
constexpr std::int64_t kMaxGroups = 16;

}  // namespace

void exponentiate_strip(const PairTables& tables, std::int64_t begin, std::int64_t rows,
                        const RemoveColumns& remove, float* strip,
                        const std::function<void(std::int64_t, const ExponentRow&)>& finish) {
  const auto m = static_cast<int>(rows);
  const auto n = static_cast<int>(tables.columns);
  const auto ld = static_cast<int>(tables.strip_stride());
  const auto width = static_cast<int>(tables.stride);
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, width, finite_factor(tables.sharpness),
              tables.left + begin * tables.stride, width, tables.right, width, 0.0F, strip, ld);
  const RowKernels kernels = choose_row_kernels();
  const auto to_exponents = HWY_DYNAMIC_DISPATCH(exponentiate);
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t t = begin + r;
    float* logits = strip + r * ld;
    ExponentRow row{.own = logits[t]};
    std::fill(logits + n, logits + ld, kAbsent);
    if (tables.bias != nullptr) kernels.add(1.0F, tables.bias, logits, ld);
    remove(t, logits);
    row.largest = to_exponents(logits, ld, &row.sum);
    finish(t, row);
  }
}

void sum_columns_of_strip(const PairTables& tables, std::int64_t rows, const float* strip,
                          float* to) {
  const auto width = static_cast<int>(tables.stride);
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, static_cast<int>(rows), width,
              static_cast<int>(tables.columns), 1.0F, strip,
              static_cast<int>(tables.strip_stride()), tables.right, width, 0.0F, to, width);
}

void sum_rows_of_strip(const PairTables& tables, std::int64_t rows, const float* strip,
                       const float* factors, float keep, float* to) {
  const auto width = static_cast<int>(tables.stride);
  cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, static_cast<int>(tables.columns), width,
              static_cast<int>(rows), 1.0F, strip, static_cast<int>(tables.strip_stride()), factors,
              width, keep, to, width);
}

std::int64_t pair_groups(std::int64_t count) {
  return std::clamp<std::int64_t>((count + kGroupRows - 1) / kGroupRows, 1, kMaxGroups);
}

std::int64_t max_strip_rows(std::int64_t count, std::int64_t columns) {
  return std::min(count, columns > kLargeBatch ? kRowsOfLargeBatch : kRows);
}

}  // namespace tern::cpu
#endif  // HWY_ONCE
