// Kernels of the dense layer, of dropout and of perturb on rows so far out that their addresses need
// more than 32 bits, and the cuts of their work.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "cuda/ops/dropout.hpp"
#include "cuda/ops/linear_relu_batchnorm.hpp"
#include "cuda/ops/perturb.hpp"
#include "cuda/support/matmul.hpp"
#include "simt/buffer.hpp"
#include "tern/random.hpp"
#include "tests/simt_backend/device_queue.hpp"
#include "tests/simt_backend/far.hpp"

namespace tern::cuda {
namespace {

using test::DeviceQueue;
using test::Far;

/// kRow · kStride exceeds 2³² by itself.
constexpr std::int64_t kRow = (std::int64_t{1} << 30) + 5;
constexpr std::int64_t kStride = 8;
constexpr std::int64_t kCols = 6;
constexpr std::int64_t kRows = 150;  // in three stretches
constexpr std::int64_t kFirst = kRow * kStride;

/// Values of 0.25·{-4..4} in the rows from kRow on; padding zero.
std::vector<float> matrix(int multiplier) {
  std::vector<float> values(kRows * kStride);
  for (std::int64_t r = 0; r < kRows; ++r) {
    for (std::int64_t c = 0; c < kCols; ++c) {
      const auto i = r * kCols + c;
      values[r * kStride + c] = 0.25F * static_cast<float>(i * multiplier % 9 - 4);
    }
  }
  return values;
}

DenseRows far_rows() {
  DenseRows rows = cut_dense_rows(kRows, kStride);
  rows.first = kRow;
  return rows;
}

simt::Buffer<float> row_of(float value) {
  std::vector<float> values(kStride, value);
  for (std::int64_t c = kCols; c < kStride; ++c) values[c] = 0;
  return simt::Buffer<float>(std::span<const float>(values));
}

double relu(double x) {
  return x > 0 ? x : 0;
}

/// a, its statistics, z and the gradients of one column, by the formulas.
struct Column {
  std::vector<double> inner, a, z, grad_outer, grad_inner;
  double mean = 0;
  double variance = 0;
  double of_scale = 0;
  double of_shift = 0;

  Column(const std::vector<float>& x, const std::vector<float>& y, const std::vector<float>& g,
         std::int64_t c) {
    constexpr auto n = static_cast<double>(kRows);
    for (std::int64_t r = 0; r < kRows; ++r) {
      inner.push_back(relu(x[r * kStride + c] + 0.5));
      a.push_back(relu(inner.back() + y[r * kStride + c] + 0.125));
      mean += a.back() / n;
    }
    for (const double value : a) variance += (value - mean) * (value - mean) / n;
    const double inverse = 1 / std::sqrt(variance + 0.25);
    for (std::int64_t r = 0; r < kRows; ++r) {
      z.push_back(2 * (a[r] - mean) * inverse + 3);
      of_shift += g[r * kStride + c];
      of_scale += g[r * kStride + c] * (a[r] - mean) * inverse;
    }
    for (std::int64_t r = 0; r < kRows; ++r) {
      const double unit = (a[r] - mean) * inverse;
      const double grad = 2 * inverse * (g[r * kStride + c] - of_shift / n - unit * of_scale / n);
      grad_outer.push_back(a[r] > 0 ? grad : 0);
      grad_inner.push_back(inner[r] > 0 ? grad_outer.back() : 0);
    }
  }
};

TEST(DenseFar, BothPassesReadAndWriteRowsBeyond32Bits) {
  const std::vector<float> x = matrix(5), y = matrix(7), g = matrix(4);
  Far<float> inner(kFirst, x), outer(kFirst, y), grad_z(kFirst, g);
  const std::vector<float> poison(kRows * kStride, NAN);
  Far<float> saved(kFirst, poison), z(kFirst, poison);
  Far<float> grad_inner(kFirst, poison), grad_outer(kFirst, poison);
  auto inner_bias = row_of(0.5F), outer_bias = row_of(0.125F);
  auto scale = row_of(2), shift = row_of(3), mean = row_of(0), inverse = row_of(0);
  auto running_mean = row_of(1), running_variance = row_of(1);
  auto grad_scale = row_of(NAN), grad_shift = row_of(NAN);
  auto grad_inner_bias = row_of(NAN), grad_outer_bias = row_of(NAN);
  const DenseRows rows = far_rows();
  simt::Buffer<float> partials(static_cast<std::size_t>(dense_partials_size(rows)));
  const DeviceQueue queue;
  launch_dense_statistics(queue, {.rows = rows,
                                  .values = {.form = DenseForm::kSums,
                                             .relu = true,
                                             .inner = inner.data(),
                                             .inner_bias = inner_bias.data(),
                                             .outer = outer.data(),
                                             .outer_bias = outer_bias.data()},
                                  .saved = saved.data(),
                                  .partials = partials.data(),
                                  .mean = mean.data(),
                                  .inverse_deviation = inverse.data(),
                                  .running_mean = running_mean.data(),
                                  .running_variance = running_variance.data(),
                                  .cols = kCols,
                                  .epsilon = 0.25,
                                  .momentum = 0.5});
  const DenseValues values{.form = DenseForm::kSaved, .relu = true, .inner = saved.data()};
  const DenseNorm norm{mean.data(), inverse.data(), scale.data(), shift.data()};
  launch_dense_output(queue, {.rows = rows, .values = values, .norm = norm, .z = z.data()});
  launch_dense_gradient(queue, {.rows = rows,
                                .values = values,
                                .norm = norm,
                                .cols = kCols,
                                .grad_z = grad_z.data(),
                                .partials = partials.data(),
                                .grad_scale = grad_scale.data(),
                                .grad_shift = grad_shift.data(),
                                .grad_inner_bias = grad_inner_bias.data(),
                                .grad_outer_bias = grad_outer_bias.data(),
                                .grad_inner = grad_inner.data(),
                                .grad_outer = grad_outer.data()});
  for (std::int64_t c = 0; c < kStride; ++c) {
    if (c >= kCols) {
      EXPECT_EQ(z[kFirst + c], 0);
      EXPECT_EQ(grad_inner[kFirst + c], 0);
      continue;
    }
    const Column expected(x, y, g, c);
    constexpr auto n = static_cast<double>(kRows);
    EXPECT_NEAR(mean[c], expected.mean, 1e-6);
    EXPECT_NEAR(running_mean[c], 0.5 + 0.5 * expected.mean, 1e-6);
    EXPECT_NEAR(running_variance[c], 0.5 + 0.5 * expected.variance * n / (n - 1), 1e-6);
    EXPECT_NEAR(grad_scale[c], expected.of_scale, 1e-4);
    EXPECT_NEAR(grad_shift[c], expected.of_shift, 1e-4);
    double inner_sum = 0;
    double outer_sum = 0;
    for (std::int64_t r = 0; r < kRows; ++r) {
      const std::int64_t at = kFirst + r * kStride + c;
      EXPECT_NEAR(z[at], expected.z[r], 1e-5) << r << ", " << c;
      EXPECT_NEAR(grad_outer[at], expected.grad_outer[r], 1e-5) << r << ", " << c;
      EXPECT_NEAR(grad_inner[at], expected.grad_inner[r], 1e-5) << r << ", " << c;
      inner_sum += expected.grad_inner[r];
      outer_sum += expected.grad_outer[r];
    }
    EXPECT_NEAR(grad_inner_bias[c], inner_sum, 1e-4);
    EXPECT_NEAR(grad_outer_bias[c], outer_sum, 1e-4);
  }
}

TEST(DenseFar, ReadsRunningStatisticsAndLeavesThePadding) {
  auto running_mean = row_of(3), running_variance = row_of(0.75F);
  auto mean = row_of(NAN), inverse = row_of(NAN);
  launch_dense_running(DeviceQueue(), {.running_mean = running_mean.data(),
                                       .running_variance = running_variance.data(),
                                       .mean = mean.data(),
                                       .inverse_deviation = inverse.data(),
                                       .cols = kCols,
                                       .epsilon = 0.25});
  for (std::int64_t c = 0; c < kStride; ++c) {
    EXPECT_EQ(mean[c], c < kCols ? 3 : 0);
    EXPECT_EQ(inverse[c], c < kCols ? 1 : 0);
  }
}

TEST(DenseFar, MergesPartsBeyond32Bits) {
  constexpr std::int64_t kStep = (std::int64_t{1} << 31) + 64;
  // Two halves of one part, so far apart.
  std::vector<float> values(4, NAN);
  values[0] = 5;
  Far<float> second(kStep, values);
  simt::Buffer<float> out(4);
  launch_dense_merge(DeviceQueue(), {.partials = second.data(),
                                     .parts = 1,
                                     .step = kStep,
                                     .size = 4,
                                     .cols = 1,
                                     .stride = 4,
                                     .halves = 2,
                                     .out = {nullptr, out.data()}});
  EXPECT_EQ(out[0], 5);
  EXPECT_EQ(out[3], 0) << "padding";
}

TEST(DenseFar, DropoutCountsElementsBeyond32Bits) {
  const simt::Buffer<std::int64_t> step(
      std::span<const std::int64_t>(std::vector<std::int64_t>{(std::int64_t{1} << 32) + 9}));
  for (const auto unit : {DropoutOptions::Unit::kElement, DropoutOptions::Unit::kRow}) {
    for (const std::int64_t cols : {5, 6, 7, 8}) {
      Far<float> values(kFirst, std::vector<float>(kRows * kStride, 1));
      const DropoutOptions options{
          .probability = 0.5, .unit = unit, .seed = Seed{77}, .place = 65535};
      launch_dropout(DeviceQueue(), {.options = options,
                                     .threshold = 1u << 31,
                                     .factor = 2,
                                     .step = step.data(),
                                     .values = {values.data(), kRow + kRows, cols, kStride},
                                     .first_row = kRow});
      const bool by_row = unit == DropoutOptions::Unit::kRow;
      for (std::int64_t r = 0; r < kRows; ++r) {
        for (std::int64_t c = 0; c < cols; ++c) {
          const auto index = static_cast<std::uint64_t>(by_row ? kRow + r : (kRow + r) * cols + c);
          RandomStream stream(Seed{77}, Purpose::kDropout, 9,
                              (std::uint64_t{65535} << 48) + index / 4);
          std::uint32_t word = 0;
          for (std::uint64_t j = 0; j <= index % 4; ++j) word = stream.next();
          const float kept = by_row ? 1.0F : 2.0F;
          ASSERT_EQ(values[kFirst + r * kStride + c], word >= 1u << 31 ? kept : 0.0F)
              << r << ", " << c << " of " << cols;
        }
      }
    }
  }
}

TEST(DenseFar, PerturbCountsElementsBeyond32Bits) {
  const simt::Buffer<std::int64_t> step(
      std::span<const std::int64_t>(std::vector<std::int64_t>{(std::int64_t{1} << 32) + 9}));
  for (const std::int64_t cols : {5, 6, 7, 8}) {
    Far<float> values(kFirst, std::vector<float>(kRows * kStride, 1));
    launch_perturb(DeviceQueue(), {.magnitude = 0.5F,
                                   .seed = Seed{77},
                                   .place = 65535,
                                   .step = step.data(),
                                   .values = {values.data(), kRow + kRows, cols, kStride},
                                   .only = {},
                                   .first_row = kRow});
    for (std::int64_t r = 0; r < kRows; ++r) {
      std::vector<double> draws;
      double square = 0;
      for (std::int64_t c = 0; c < cols; ++c) {
        const auto index = static_cast<std::uint64_t>((kRow + r) * cols + c);
        RandomStream stream(Seed{77}, Purpose::kPerturb, 9,
                            (std::uint64_t{65535} << 48) + index / 4);
        std::uint32_t word = 0;
        for (std::uint64_t j = 0; j <= index % 4; ++j) word = stream.next();
        draws.push_back(word + 1.0);
        square += draws.back() * draws.back();
      }
      for (std::int64_t c = 0; c < cols; ++c) {
        ASSERT_NEAR(values[kFirst + r * kStride + c], 1 + 0.5 * draws[c] / std::sqrt(square), 1e-6)
            << r << ", " << c << " of " << cols;
      }
    }
  }
}

TEST(DenseSizes, RowsAreCutByTheirNumberAlone) {
  const DeviceQueue queue;
  for (const std::int64_t rows :
       {std::int64_t{1}, std::int64_t{2}, std::int64_t{64}, std::int64_t{65}, std::int64_t{65536},
        std::int64_t{65537}, std::int64_t{1} << 20, std::int64_t{0x7fffffff}}) {
    for (const std::int64_t stride : {4, 8, 64, 300, 4096}) {
      const DenseRows cut = cut_dense_rows(rows, stride);
      EXPECT_EQ(cut.stretch_rows, cut_dense_rows(rows, 4).stretch_rows);
      EXPECT_GE(cut.stretches * cut.stretch_rows, rows);
      EXPECT_LT((cut.stretches - 1) * cut.stretch_rows, rows);
      EXPECT_LE(cut.stretches, 1024);
      const auto shapes = queue.shapes_of(
          [&] { launch_dense_output(queue, {.rows = cut, .values = {}, .norm = {}}); });
      ASSERT_EQ(shapes.size(), 1u);
      EXPECT_EQ(shapes[0].grid.x, cut.stretches);
      EXPECT_GE(std::int64_t{shapes[0].grid.y} * cut.lanes * 4, stride) << "a vector a lane";
      EXPECT_EQ(shapes[0].block.x % static_cast<unsigned>(cut.lanes), 0u);
    }
  }
  EXPECT_EQ(cut_dense_rows(0, 8).stretches, 0);
}

TEST(DenseSizes, WeightsAreCutIntoSplitsThatTheLibraryTakes) {
  constexpr std::int64_t kMax = Matmul::kMaxRows;
  for (const std::int64_t rows :
       {std::int64_t{1}, std::int64_t{255}, std::int64_t{257}, std::int64_t{5000},
        std::int64_t{1} << 20, std::int64_t{0x7fffffff}}) {
    for (const std::int64_t inner : {1, 64, 65, 1000, 100000}) {
      for (const std::int64_t cols : {1, 64, 300}) {
        const WeightCuts cuts = cut_weight_rows(rows, inner, cols, kMax);
        EXPECT_GE(cuts.splits * cuts.split_rows, rows);
        EXPECT_LT((cuts.splits - 1) * cuts.split_rows, rows);
        EXPECT_LE(cuts.split_rows, kMax);
        EXPECT_EQ(cuts.split_rows % 64, 0) << "else one begins on less than 256 bytes";
        EXPECT_LE(cuts.splits, 65535) << "of a batch";
      }
    }
  }
  EXPECT_EQ(cut_weight_rows(1 << 20, 64, 64, kMax).splits, 512);
  EXPECT_EQ(cut_weight_rows(1 << 20, 1000, 300, kMax).splits, 6);
  EXPECT_EQ(cut_weight_rows(200, 64, 64, kMax).splits, 1);
}

TEST(DenseSizes, DropoutCoversTablesOfMoreThan32Bits) {
  constexpr std::int64_t kMany = std::numeric_limits<std::int32_t>::max();
  const DeviceQueue queue;
  const auto shapes = queue.shapes_of([&] {
    DropoutTask task;
    task.values = {nullptr, kMany, 63, 64};
    launch_dropout(queue, task);
    task.options.unit = DropoutOptions::Unit::kRow;
    launch_dropout(queue, task);
    task.values.rows = 0;
    launch_dropout(queue, task);
    task.values = {nullptr, 5, 0, 0};
    launch_dropout(queue, task);
  });
  ASSERT_EQ(shapes.size(), 2u) << "nothing for empty tables";
  for (const simt::CapturedLaunch& shape : shapes) {
    EXPECT_EQ(shape.block.x, 256u);
    EXPECT_EQ(shape.grid.x, ceil_div(kMany, 256 / 16)) << "16 lanes a row";
  }
}

}  // namespace
}  // namespace tern::cuda
