#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "tests/support/backends.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/dense_layers.hpp"

// The batch statistics of the dense layer: badly conditioned ones, empty batches, running ones.
namespace tern::test {
namespace {

/// A layer that only normalises: a equals the addend exactly.
LayerShape norm_of_addend(std::int64_t rows, std::int64_t cols) {
  return {.rows = rows,
          .cols = cols,
          .inner = {.widths = {}, .addend = true},
          .activation = Activation::kNone};
}

/// Mean and population variance of a column, in two passes.
struct Moments {
  Moments(const Values& table, std::int64_t cols, std::int64_t col) {
    const auto rows = static_cast<std::int64_t>(table.size()) / cols;
    for (std::int64_t r = 0; r < rows; ++r) mean += (table[r * cols + col] - table[col]);
    mean = table[col] + mean / static_cast<double>(rows);
    for (std::int64_t r = 0; r < rows; ++r) {
      variance += std::pow(table[r * cols + col] - mean, 2) / static_cast<double>(rows);
    }
  }
  double mean = 0;
  double variance = 0;
};

class LinearReluBatchnormStatistics : public BackendTest {
 protected:
  /// Columns of mean 10⁴ · (-1)^c and deviation 10⁻²: multiples of 2⁻¹⁰, which f32 holds exactly.
  static Values far_from_zero(std::int64_t rows, std::int64_t cols) {
    Values table = random_integers(rows * cols, 9, 17);
    for (std::size_t i = 0; i < table.size(); ++i) {
      table[i] = table[i] * 0x1p-10 + (i % static_cast<std::size_t>(cols) % 2 == 0 ? 1e4 : -1e4);
    }
    return table;
  }
  /// The largest error of a mean that is rounded once, in deviations.
  double rounding(const Moments& moments) const {
    return epsilon() * std::abs(moments.mean) / std::sqrt(moments.variance);
  }
};

TEST_P(LinearReluBatchnormStatistics, SurviveAMeanAMillionDeviationsAway) {
  // A raw sum of squares in f32 is off by eps · mean² = 6, which is 60,000 times the variance.
  // Here the mean may be rounded (1/16 of a deviation in f32) and its square added to the variance;
  // the factors are room for a few such roundings.
  for (const std::int64_t rows : {2, 100, 513, 5000}) {
    constexpr std::int64_t kCols = 5;
    const LayerShape shape = norm_of_addend(rows, kCols);
    LayerValues values = random_layer(shape, 1);
    values.inner.addend = far_from_zero(rows, kCols);
    values.scale.assign(kCols, 1);
    values.shift.assign(kCols, 0);
    values.running_mean.assign(kCols, 0);  // with momentum 1, the running values become the batch's
    values.running_variance.assign(kCols, 0);
    LoadedLayer loaded(backend_, shape, values);
    DenseLayer layer = loaded.layer();
    layer.batch_norm->momentum = 1;
    layer.batch_norm->epsilon = 1e-12;
    backend_.linear_relu_batchnorm(layer, DenseMode::kTraining, loaded.state, loaded.z);
    const Values z = values_of(backend_, loaded.z);
    const Values mean = values_of(backend_, loaded.running_mean);
    const Values variance = values_of(backend_, loaded.running_variance);
    for (std::int64_t c = 0; c < kCols; ++c) {
      const Moments exact(values.inner.addend, kCols, c);
      if (exact.variance == 0) continue;  // two rows may be equal
      const double off = rounding(exact);
      const double relative = (256 + static_cast<double>(rows)) * epsilon() + 32 * off * off;
      EXPECT_NEAR(mean[c], exact.mean, 8 * epsilon() * 1e4) << rows << ", column " << c;
      const double n = static_cast<double>(rows);
      EXPECT_NEAR(variance[c], exact.variance * n / (n - 1), relative * exact.variance * 2)
          << rows << ", column " << c;
      for (std::int64_t r = 0; r < rows; ++r) {
        const double x = values.inner.addend[r * kCols + c];
        const double expected = (x - exact.mean) / std::sqrt(exact.variance + 1e-12);
        ASSERT_NEAR(z[r * kCols + c], expected, 8 * off + relative * (1 + std::abs(expected)))
            << "row " << r << " of " << rows << ", column " << c;
      }
    }
  }
}

TEST_P(LinearReluBatchnormStatistics, OfStretchesWithMeansOfTheirOwnAreMergedWhole) {
  // Rows grow from 0 to 4: most of the variance lies between stretches, not within them.
  constexpr std::int64_t kRows = 4097;
  const LayerShape shape = norm_of_addend(kRows, 2);
  LayerValues values = random_layer(shape, 2);
  for (std::int64_t r = 0; r < kRows; ++r) {
    values.inner.addend[2 * r] = static_cast<double>(r) * 0x1p-10;
    values.inner.addend[2 * r + 1] = static_cast<double>(r % 3 - r) * 0x1p-10;
  }
  LoadedLayer loaded(backend_, shape, values);
  DenseLayer layer = loaded.layer();
  layer.batch_norm->momentum = 1;
  backend_.linear_relu_batchnorm(layer, DenseMode::kTraining, loaded.state, loaded.z);
  for (std::int64_t c = 0; c < 2; ++c) {
    const Moments exact(values.inner.addend, 2, c);
    const double unbiased = exact.variance * kRows / (kRows - 1);
    EXPECT_NEAR(values_of(backend_, loaded.running_mean)[c], exact.mean, 32 * epsilon() * 4);
    EXPECT_NEAR(values_of(backend_, loaded.running_variance)[c], unbiased,
                256 * epsilon() * unbiased);
  }
}

TEST_P(LinearReluBatchnormStatistics, OfAConstantColumnLeaveTheShift) {
  // Variance 0: x̂ = 0, and ∂a = γ / sqrt(ε) (grad - its mean). 3/8 has few bits, 0.1F has many.
  constexpr std::int64_t kRows = 1000;
  const LayerShape shape = norm_of_addend(kRows, 3);
  LayerValues values = random_layer(shape, 3);
  for (std::size_t i = 0; i < values.inner.addend.size(); i += 3) {
    values.inner.addend[i] = 0.375;
    values.inner.addend[i + 1] = 0.1F;
  }
  LoadedLayer loaded(backend_, shape, values);
  loaded.poison_gradients();
  const Values z = loaded.forward(DenseMode::kTraining);
  loaded.backward(loaded.gradients());
  const Values grad = values_of(backend_, loaded.grad_inner.addend);
  const double inverse = 1 / std::sqrt(BatchNorm().epsilon);
  for (std::size_t c = 0; c < 2; ++c) {
    const double size = std::abs(values.scale[c]) * inverse;
    double mean = 0;
    for (std::size_t i = c; i < z.size(); i += 3) mean += values.grad_z[i] / kRows;
    for (std::size_t i = c; i < z.size(); i += 3) {
      ASSERT_NEAR(z[i], values.shift[c], epsilon() * (4 + size)) << i;
      ASSERT_NEAR(grad[i], values.scale[c] * inverse * (values.grad_z[i] - mean),
                  64 * epsilon() * size)
          << i;
    }
    const double old = values.running_variance[c];
    EXPECT_NEAR(values_of(backend_, loaded.running_variance)[c], 0.9 * old, 4 * epsilon() * old);
  }
}

TEST_P(LinearReluBatchnormStatistics, RunOverSeveralPasses) {
  // running = (1 - momentum) · running + momentum · batch, n / (n - 1) for the variance.
  constexpr std::int64_t kRows = 50;
  constexpr std::int64_t kCols = 4;
  const LayerShape shape = norm_of_addend(kRows, kCols);
  for (const double momentum : {0.0, 0.1, 0.75, 1.0}) {
    LayerValues values = random_layer(shape, 4);
    LoadedLayer loaded(backend_, shape, values);
    DenseLayer layer = loaded.layer();
    layer.batch_norm->momentum = momentum;
    Values mean = values.running_mean;
    Values variance = values.running_variance;
    for (std::uint64_t pass = 0; pass < 4; ++pass) {
      const Values table = random_values(kRows * kCols, 50 + pass, 3);
      backend_.upload(table, loaded.inner.addend);
      backend_.linear_relu_batchnorm(layer, DenseMode::kTraining, loaded.state, loaded.z);
      for (std::int64_t c = 0; c < kCols; ++c) {
        const Moments batch(table, kCols, c);
        mean[c] = (1 - momentum) * mean[c] + momentum * batch.mean;
        variance[c] =
            (1 - momentum) * variance[c] + momentum * batch.variance * kRows / (kRows - 1);
      }
    }
    const Values found_mean = values_of(backend_, loaded.running_mean);
    const Values found_variance = values_of(backend_, loaded.running_variance);
    for (std::int64_t c = 0; c < kCols; ++c) {
      EXPECT_NEAR(found_mean[c], mean[c], 64 * epsilon() * 3) << momentum;
      EXPECT_NEAR(found_variance[c], variance[c], 64 * epsilon() * variance[c]) << momentum;
    }
    if (momentum > 0) continue;
    EXPECT_TRUE(same_bits(found_mean, values.running_mean));
    EXPECT_TRUE(same_bits(found_variance, values.running_variance));
  }
}

TEST_P(LinearReluBatchnormStatistics, NormaliseToMeanZeroAndVarianceOne) {
  // γ = 1, β = 0, for any input; and the gradients of a column add up to 0.
  for (const std::int64_t rows : {2, 37, 3000}) {
    LayerShape shape{.rows = rows,
                     .cols = 9,
                     .inner = {.widths = {4}, .bias = true},
                     .outer = {.widths = {3}, .addend = true, .bias = true},
                     .activation = Activation::kNone};
    LayerValues values = random_layer(shape, 5);
    values.scale.assign(9, 1);
    values.shift.assign(9, 0);
    LoadedLayer loaded(backend_, shape, values);
    const Values z = loaded.forward(DenseMode::kTraining);
    loaded.backward(loaded.gradients());
    const Values grad = values_of(backend_, loaded.grad_outer.addend);
    const double n = static_cast<double>(rows);
    const double bound = 64 * epsilon() * std::sqrt(n);
    for (std::int64_t c = 0; c < 9; ++c) {
      double sum = 0;
      double squares = 0;
      double of_grad = 0;
      for (std::size_t i = static_cast<std::size_t>(c); i < z.size(); i += 9) {
        sum += z[i];
        squares += z[i] * z[i];
        of_grad += grad[i];
      }
      EXPECT_NEAR(sum / n, 0, bound) << rows;
      EXPECT_NEAR(of_grad / n, 0, bound) << rows;
      // variance / (variance + ε): 1, if ε is far smaller.
      const double share = squares / n;
      EXPECT_TRUE(share < 0.5 || std::abs(share - 1) < 64 * bound + 1e-4) << share << ", " << rows;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, LinearReluBatchnormStatistics,
                         testing::ValuesIn(backends_under_test()), backend_name);

}  // namespace
}  // namespace tern::test
