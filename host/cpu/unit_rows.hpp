#pragma once

#include <cstdint>

namespace tern::cpu {

// Unit rows ê = e / max(‖e‖, 1e-12), on which the losses of cosines work, and the way back from a
// gradient of ê to that of e. Rows are whole blocks (kBlock), aligned to a cache line.

inline constexpr double kSmallestNorm = 1e-12;

/// Loops over rows, for this processor.
struct RowKernels {
  /// Σ a_f b_f
  float (*dot)(const float* a, const float* b, std::int64_t stride);
  /// to += factor · x; x is not to.
  void (*add)(float factor, const float* x, float* to, std::int64_t stride);
  /// to = factor · x; x may be to.
  void (*scale)(float factor, const float* x, float* to, std::int64_t stride);
};
RowKernels choose_row_kernels();

/// Writes the unit row of a row, and returns the row's norm, which is taken in f64 if squares would
/// vanish or overflow in f32.
double normalize(const RowKernels& kernels, const float* row, float* unit, std::int64_t stride);

/// ‖row‖² of a part of a row's columns, in f64 if f32 does not hold it.
double square_of_part(const RowKernels& kernels, const float* row, std::int64_t stride);

/// normalize() of a part of a row's columns; square: that of the whole row.
double normalize_part(const RowKernels& kernels, const float* row, double square, float* unit,
                      std::int64_t stride);

/// Takes a gradient of a unit row to that of the row, in place:
/// (g - ê (ê·g)) / ‖e‖ if ‖e‖ > 1e-12, else g / 1e-12.
void project(const RowKernels& kernels, const float* unit, double norm, float* gradient,
             std::int64_t stride);

/// The same in a part of the columns; along: ê·g over all of them.
void project_part(const RowKernels& kernels, const float* unit, double norm, double along,
                  float* gradient, std::int64_t stride);

/// The same as project() from the row itself instead of its unit row.
void project_by_row(const RowKernels& kernels, const float* row, float* gradient,
                    std::int64_t stride);

/// row·gradient in a part of the columns, in f64 if square_of_part() is.
double dot_of_part(const RowKernels& kernels, const float* row, const float* gradient,
                   std::int64_t stride);

/// project_by_row() in a part of the columns; square and dot: ‖row‖² and row·gradient over all of them.
void project_part_by_row(const RowKernels& kernels, const float* row, double square, double dot,
                         float* gradient, std::int64_t stride);

}  // namespace tern::cpu
