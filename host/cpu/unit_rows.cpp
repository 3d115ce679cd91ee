#include "host/cpu/unit_rows.hpp"

#include <algorithm>
#include <cmath>

#include "host/backend/checks.hpp"
#include "host/cpu/storage.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/unit_rows.cpp"
#include <hwy/foreach_target.h>  // after HWY_TARGET_INCLUDE
#include <hwy/highway.h>         // after foreach_target.h

HWY_BEFORE_NAMESPACE();
namespace tern::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;
using Tag = hn::CappedTag<float, kBlock>;

/// Calls body(f) for the first element of every vector of [0, size).
template <class Body>
HWY_INLINE void for_row_vectors(std::int64_t size, const Body& body) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(Tag()));
  for (std::int64_t f = 0; f < size; f += lanes) body(f);
}
}  // namespace

float dot_rows(const float* HWY_RESTRICT a, const float* HWY_RESTRICT b, std::int64_t stride) {
  auto sum = hn::Zero(Tag());
  for_row_vectors(stride, [&](std::int64_t f) {
    sum = hn::MulAdd(hn::Load(Tag(), a + f), hn::Load(Tag(), b + f), sum);
  });
  return hn::GetLane(hn::SumOfLanes(Tag(), sum));
}

void add_scaled(float factor, const float* HWY_RESTRICT x, float* HWY_RESTRICT to,
                std::int64_t stride) {
  const auto w = hn::Set(Tag(), factor);
  for_row_vectors(stride, [&](std::int64_t f) {
    hn::Store(hn::MulAdd(w, hn::Load(Tag(), x + f), hn::Load(Tag(), to + f)), Tag(), to + f);
  });
}

void scale_row(float factor, const float* x, float* to, std::int64_t stride) {
  const auto w = hn::Set(Tag(), factor);
  for_row_vectors(stride, [&](std::int64_t f) {
    hn::Store(hn::Mul(w, hn::Load(Tag(), x + f)), Tag(), to + f);
  });
}

}  // namespace tern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tern::cpu {
HWY_EXPORT(dot_rows);
HWY_EXPORT(add_scaled);
HWY_EXPORT(scale_row);

RowKernels choose_row_kernels() {
  return {.dot = HWY_DYNAMIC_DISPATCH(dot_rows),
          .add = HWY_DYNAMIC_DISPATCH(add_scaled),
          .scale = HWY_DYNAMIC_DISPATCH(scale_row)};
}

namespace {

/// Whether f32 holds the square of a row's norm, and that of each element that matters: squares of
/// 1e-20 vanish, and those of 1e20 overflow.
bool fits_f32(double square) {
  return square > 1e-20 && square < 1e30;
}

double dot_f64(const float* a, const float* b, std::int64_t stride) {
  double sum = 0.0;
  for (std::int64_t f = 0; f < stride; ++f) sum += static_cast<double>(a[f]) * b[f];
  return sum;
}

/// unit = row / max(‖row‖, 1e-12) from ‖row‖², and whether that fits f32. Returns ‖row‖.
double divide_by_norm(const RowKernels& kernels, const float* row, double square, bool fits,
                      float* unit, std::int64_t stride) {
  const double norm = std::sqrt(square);
  const double divisor = std::max(norm, kSmallestNorm);
  if (fits) {
    kernels.scale(static_cast<float>(1.0 / divisor), row, unit, stride);
  } else {
    for (std::int64_t f = 0; f < stride; ++f) unit[f] = static_cast<float>(row[f] / divisor);
  }
  return norm;
}

void project_by_row_f64(const float* row, double square, double dot, float* gradient,
                        std::int64_t stride) {
  const double norm = std::sqrt(square);
  const double along = norm <= kSmallestNorm ? 0.0 : dot / square;
  const double divisor = std::max(norm, kSmallestNorm);
  for (std::int64_t f = 0; f < stride; ++f) {
    gradient[f] = static_cast<float>((gradient[f] - along * row[f]) / divisor);
  }
}

}  // namespace

double normalize(const RowKernels& kernels, const float* row, float* unit, std::int64_t stride) {
  double square = kernels.dot(row, row, stride);
  const bool fits = fits_f32(square);
  if (!fits) square = dot_f64(row, row, stride);
  return divide_by_norm(kernels, row, square, fits, unit, stride);
}

double square_of_part(const RowKernels& kernels, const float* row, std::int64_t stride) {
  return dot_of_part(kernels, row, row, stride);
}

double normalize_part(const RowKernels& kernels, const float* row, double square, float* unit,
                      std::int64_t stride) {
  return divide_by_norm(kernels, row, square, fits_f32(square), unit, stride);
}

void project(const RowKernels& kernels, const float* unit, double norm, float* gradient,
             std::int64_t stride) {
  project_part(kernels, unit, norm, kernels.dot(unit, gradient, stride), gradient, stride);
}

void project_part(const RowKernels& kernels, const float* unit, double norm, double along,
                  float* gradient, std::int64_t stride) {
  if (norm > kSmallestNorm) kernels.add(static_cast<float>(-along), unit, gradient, stride);
  kernels.scale(finite_factor(1.0 / std::max(norm, kSmallestNorm)), gradient, gradient, stride);
}

void project_by_row(const RowKernels& kernels, const float* row, float* gradient,
                    std::int64_t stride) {
  double square = kernels.dot(row, row, stride);
  if (fits_f32(square)) {
    const auto inverse = static_cast<float>(1.0 / std::sqrt(square));
    const float along = kernels.dot(row, gradient, stride) * inverse;
    kernels.add(-along * inverse, row, gradient, stride);
    kernels.scale(inverse, gradient, gradient, stride);
    return;
  }
  square = dot_f64(row, row, stride);
  project_by_row_f64(row, square, dot_f64(row, gradient, stride), gradient, stride);
}

double dot_of_part(const RowKernels& kernels, const float* row, const float* gradient,
                   std::int64_t stride) {
  return fits_f32(kernels.dot(row, row, stride)) ? kernels.dot(row, gradient, stride)
                                                 : dot_f64(row, gradient, stride);
}

void project_part_by_row(const RowKernels& kernels, const float* row, double square, double dot,
                         float* gradient, std::int64_t stride) {
  if (!fits_f32(square)) return project_by_row_f64(row, square, dot, gradient, stride);
  kernels.add(static_cast<float>(-dot / square), row, gradient, stride);
  kernels.scale(static_cast<float>(1.0 / std::sqrt(square)), gradient, gradient, stride);
}

}  // namespace tern::cpu
#endif  // HWY_ONCE
