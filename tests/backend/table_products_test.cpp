// Products of tall tables of the CPU backend against f64, at sizes around those of tiles and panels.

#include "host/cpu/table_products.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "host/cpu/storage.hpp"
#include "tern/device.hpp"

namespace tern::test {
namespace {

cpu::ProductKernels kernels() {
  make_backend("cpu", 1);  // chooses the kernels for this processor
  return cpu::choose_product_kernels();
}

cpu::FloatBlock random_table(std::int64_t size, std::uint32_t seed) {
  std::mt19937 random(seed);
  cpu::FloatBlock table(size);
  for (std::int64_t i = 0; i < size; ++i) {
    table.data()[i] = static_cast<float>(random()) / 4e9F - 0.5F;
  }
  return table;
}

/// A product with a as rows or as columns, rows apart by more than they need.
struct Case {
  std::int64_t rows;
  std::int64_t depth;
  std::int64_t cols;
  bool columns;
  bool add;
};

void expect_product(const Case& c) {
  SCOPED_TRACE("rows " + std::to_string(c.rows) + ", depth " + std::to_string(c.depth) + ", cols " +
               std::to_string(c.cols) + (c.columns ? ", a by columns" : "") +
               (c.add ? ", added" : ""));
  const std::int64_t a_stride = (c.columns ? c.rows : c.depth) + 3;
  const std::int64_t stride = c.cols + cpu::kBlock;
  const cpu::FloatBlock a = random_table((c.columns ? c.depth : c.rows) * a_stride, 1);
  const cpu::FloatBlock b = random_table(std::max<std::int64_t>(1, c.depth) * stride, 2);
  const cpu::FloatBlock start = random_table(c.rows * stride, 3);
  const cpu::FloatBlock out = random_table(c.rows * stride, 3);
  const cpu::TableProduct product{.a = a.data(),
                                  .a_row = c.columns ? 1 : a_stride,
                                  .a_depth = c.columns ? a_stride : 1,
                                  .b = b.data(),
                                  .b_stride = stride,
                                  .c = out.data(),
                                  .c_stride = stride,
                                  .rows = c.rows,
                                  .depth = c.depth,
                                  .cols = c.cols,
                                  .add = c.add,
                                  .factor = c.add ? 1.0F : 0.25F};
  kernels().multiply(product);
  for (std::int64_t i = 0; i < c.rows; ++i) {
    for (std::int64_t j = 0; j < stride; ++j) {
      const float before = start.data()[i * stride + j];
      const float found = out.data()[i * stride + j];
      if (j >= c.cols) {  // beyond the product
        ASSERT_EQ(found, before) << "row " << i << ", column " << j;
        continue;
      }
      double sum = c.add ? before : 0.0;
      double sizes = std::abs(sum);
      for (std::int64_t k = 0; k < c.depth; ++k) {
        const double term = static_cast<double>(a.data()[i * product.a_row + k * product.a_depth]) *
                            b.data()[k * stride + j];
        sum += term;
        sizes += std::abs(term);
      }
      // Each of depth + 1 additions rounds a partial sum, and the factor is a power of two.
      const double bound = static_cast<double>(c.depth + 1) * 0x1p-23 * sizes;
      ASSERT_NEAR(found, product.factor * sum, product.factor * bound)
          << "row " << i << ", column " << j;
    }
  }
}

TEST(TableProducts, AgreeWithF64) {
  for (const std::int64_t rows : {1, 2, 5, 6, 7, 12, 13}) {
    for (const std::int64_t depth : {0, 1, 2, 63, 64, 65, 130}) {
      for (const std::int64_t cols : {16, 32, 48, 64, 80, 128}) {
        for (const bool columns : {false, true}) {
          for (const bool add : {false, true}) expect_product({rows, depth, cols, columns, add});
        }
      }
    }
  }
}

TEST(TableProducts, AnElementHasTheSameBitsInAnyTile) {
  constexpr std::int64_t kRows = 13;
  constexpr std::int64_t kDepth = 100;
  const cpu::FloatBlock a = random_table(kRows * kDepth, 1);
  const cpu::FloatBlock b = random_table(kDepth * cpu::kPanel, 2);
  const cpu::FloatBlock together(kRows * cpu::kPanel);
  const cpu::FloatBlock alone(cpu::kBlock);
  cpu::TableProduct product{.a = a.data(),
                            .a_row = kDepth,
                            .a_depth = 1,
                            .b = b.data(),
                            .b_stride = cpu::kPanel,
                            .c = together.data(),
                            .c_stride = cpu::kPanel,
                            .rows = kRows,
                            .depth = kDepth,
                            .cols = cpu::kPanel};
  kernels().multiply(product);
  product.rows = 1;
  product.cols = cpu::kBlock;
  product.c = alone.data();
  for (std::int64_t i = 0; i < kRows; ++i) {
    for (std::int64_t j = 0; j < cpu::kPanel; j += cpu::kBlock) {
      product.a = a.data() + i * kDepth;
      product.b = b.data() + j;
      kernels().multiply(product);
      for (std::int64_t l = 0; l < cpu::kBlock; ++l) {
        ASSERT_EQ(alone.data()[l], together.data()[i * cpu::kPanel + j + l])
            << "row " << i << ", column " << j + l;
      }
    }
  }
}

TEST(TableProducts, PacksRowsAsColumns) {
  constexpr std::int64_t kCount = 70;
  constexpr std::int64_t kStride = 32;
  const cpu::FloatBlock table = random_table(kCount * kStride, 1);
  const cpu::FloatBlock panel = random_table(kStride * cpu::kPanel, 2);
  for (const std::int64_t first : {std::int64_t{0}, cpu::kPanel}) {
    kernels().pack(table.data(), kCount, kStride, first, panel.data());
    for (std::int64_t k = 0; k < kStride; ++k) {
      for (std::int64_t r = 0; r < cpu::kPanel; ++r) {
        const float expected = first + r < kCount ? table.data()[(first + r) * kStride + k] : 0.0F;
        ASSERT_EQ(panel.data()[k * cpu::kPanel + r], expected) << "row " << r << ", column " << k;
      }
    }
  }
}

}  // namespace
}  // namespace tern::test
